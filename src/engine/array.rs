//! Arrays that live on their engine.

use super::memory::Reservation;
use super::{Backend, Engine, gpu, wrong_engine};
use crate::error::{Error, Result};

/// A flat array of numbers on an engine: f64 on the CPU, f32 on a GPU. Shape is its user's
/// business.
pub struct Array {
    storage: Storage<f64>,
    len: usize,
    label: &'static str,
    _reservation: Reservation,
}

/// A flat array of `u32` on an engine: offsets and work lists.
pub struct Table {
    storage: Storage<u32>,
    len: usize,
    label: &'static str,
    _reservation: Reservation,
}

enum Storage<T> {
    Host(Vec<T>),
    Device(gpu::Buffer),
}

/// Numbers on their way from the engine to the host; see [`Engine::read`].
pub enum Pending {
    /// Already here.
    Ready(Vec<f64>),
    /// Still on its way.
    Device(gpu::ReadBack),
}

impl Array {
    /// How many numbers it holds.
    pub fn len(&self) -> usize {
        self.len
    }

    /// True if it holds nothing.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub(crate) fn host(&self) -> Result<&[f64]> {
        match &self.storage {
            Storage::Host(values) => Ok(values),
            Storage::Device(_) => Err(wrong_engine(self.label)),
        }
    }

    pub(crate) fn host_mut(&mut self) -> Result<&mut [f64]> {
        match &mut self.storage {
            Storage::Host(values) => Ok(values),
            Storage::Device(_) => Err(wrong_engine(self.label)),
        }
    }

    pub(crate) fn buffer(&self) -> Result<&gpu::Buffer> {
        match &self.storage {
            Storage::Host(_) => Err(wrong_engine(self.label)),
            Storage::Device(buffer) => Ok(buffer),
        }
    }
}

impl Table {
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    pub(crate) fn host(&self) -> Result<&[u32]> {
        match &self.storage {
            Storage::Host(values) => Ok(values),
            Storage::Device(_) => Err(wrong_engine(self.label)),
        }
    }

    pub(crate) fn buffer(&self) -> Result<&gpu::Buffer> {
        match &self.storage {
            Storage::Host(_) => Err(wrong_engine(self.label)),
            Storage::Device(buffer) => Ok(buffer),
        }
    }
}

impl Engine {
    /// Bytes on the ledger for an allocation that may go ahead.
    fn allow(&self, label: &'static str, bytes: u64) -> Result<Reservation> {
        let reservation = self.0.ledger.reserve(label, bytes)?;
        if self.0.sabotage.allocation() { Err(out_of_memory(label)) } else { Ok(reservation) }
    }

    /// An array of `len` zeros.
    ///
    /// # Errors
    /// [`crate::Error::Limit`] before, [`crate::Error::OutOfMemory`] while allocating.
    pub fn zeros(&self, label: &'static str, len: usize) -> Result<Array> {
        let bytes = (len as u64).saturating_mul(self.bytes_per_number());
        let reservation = self.allow(label, bytes)?;
        let storage = match &self.0.backend {
            Backend::Cpu => {
                let mut values = reserved(label, len)?;
                values.resize(len, 0.0);
                Storage::Host(values)
            }
            Backend::Gpu(gpu) => Storage::Device(gpu.buffer(label, bytes)?),
        };
        Ok(Array { storage, len, label, _reservation: reservation })
    }

    /// An array with these values; rounded to f32 on a GPU.
    ///
    /// # Errors
    /// As [`Engine::zeros`].
    pub fn upload(&self, label: &'static str, values: &[f64]) -> Result<Array> {
        let mut array = self.zeros(label, values.len())?;
        self.write(&mut array, values)?;
        Ok(array)
    }

    /// An array with the values of an iterator, without a second copy of them in f64 on a GPU's
    /// host; `len` is how many there are.
    ///
    /// # Errors
    /// As [`Engine::zeros`], and [`crate::Error::Shape`] where the iterator yields another number
    /// of values.
    pub fn collect(
        &self,
        label: &'static str,
        len: usize,
        values: impl Iterator<Item = f64>,
    ) -> Result<Array> {
        let mut array = self.zeros(label, len)?;
        let mut found = 0;
        let counted = values.inspect(|_| found += 1);
        match (&self.0.backend, &mut array.storage) {
            (Backend::Cpu, Storage::Host(target)) => {
                target.iter_mut().zip(counted).for_each(|(target, value)| *target = value);
            }
            (Backend::Gpu(gpu), Storage::Device(buffer)) => {
                let narrow: Vec<f32> = counted.take(len).map(|value| value as f32).collect();
                gpu.write_bytes(buffer, bytemuck::cast_slice(&narrow), &self.0.profile)?;
            }
            _ => return Err(wrong_engine(label)),
        }
        if found != len {
            let what = format!("array `{label}`");
            return Err(Error::shape(what, len.to_string(), found.to_string()));
        }
        Ok(array)
    }

    /// An array filled with one value.
    ///
    /// # Errors
    /// As [`Engine::zeros`].
    pub fn filled(&self, label: &'static str, len: usize, value: f64) -> Result<Array> {
        self.upload(label, &vec![value; len])
    }

    /// Overwrites the first `values.len()` numbers of an array.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the array is shorter than `values`.
    pub fn write(&self, array: &mut Array, values: &[f64]) -> Result<()> {
        if values.len() > array.len {
            return Err(Error::shape(
                format!("array `{}`", array.label),
                format!("at most {} numbers", array.len),
                values.len().to_string(),
            ));
        }
        match (&self.0.backend, &mut array.storage) {
            (Backend::Cpu, Storage::Host(target)) => {
                target[..values.len()].copy_from_slice(values);
                Ok(())
            }
            (Backend::Gpu(gpu), Storage::Device(buffer)) => {
                gpu.write_f32(buffer, values, &self.0.profile)
            }
            _ => Err(wrong_engine(array.label)),
        }
    }

    /// A table with these values.
    ///
    /// # Errors
    /// As [`Engine::zeros`].
    pub(crate) fn table(&self, label: &'static str, values: &[u32]) -> Result<Table> {
        let bytes = values.len() as u64 * 4;
        let reservation = self.allow(label, bytes)?;
        let storage = match &self.0.backend {
            Backend::Cpu => {
                let mut copy = reserved(label, values.len())?;
                copy.extend_from_slice(values);
                Storage::Host(copy)
            }
            Backend::Gpu(gpu) => {
                let buffer = gpu.buffer(label, bytes)?;
                gpu.write_bytes(&buffer, bytemuck::cast_slice(values), &self.0.profile)?;
                Storage::Device(buffer)
            }
        };
        Ok(Table { storage, len: values.len(), label, _reservation: reservation })
    }

    /// Copies `source` into `target`, which must be as long.
    ///
    /// # Errors
    /// [`crate::Error::Shape`] if the lengths differ.
    pub fn copy(&self, source: &Array, target: &mut Array) -> Result<()> {
        if source.len != target.len {
            return Err(Error::shape(
                format!("array `{}`", target.label),
                source.len.to_string(),
                target.len.to_string(),
            ));
        }
        match &self.0.backend {
            Backend::Cpu => {
                target.host_mut()?.copy_from_slice(source.host()?);
                Ok(())
            }
            Backend::Gpu(gpu) => {
                gpu.copy(source.buffer()?, target.buffer()?, source.len as u64 * 4, &self.0.profile)
            }
        }
    }

    /// Everything in an array, on the host.
    ///
    /// # Errors
    /// Any fault of the device up to here.
    pub fn download(&self, array: &Array) -> Result<Vec<f64>> {
        self.read(array)?.wait(self)
    }

    /// Starts to read an array as it is at this point of the launches, and returns at once.
    ///
    /// # Errors
    /// Any fault of the device up to here.
    pub fn read(&self, array: &Array) -> Result<Pending> {
        match &self.0.backend {
            Backend::Cpu => Ok(Pending::Ready(array.host()?.to_vec())),
            Backend::Gpu(gpu) => {
                let read = gpu.read_back(array.buffer()?, array.len, &self.0.profile)?;
                Ok(Pending::Device(read))
            }
        }
    }
}

/// Room for so many, where the system has it.
fn reserved<T>(label: &str, len: usize) -> Result<Vec<T>> {
    let mut room = Vec::new();
    match room.try_reserve_exact(len) {
        Ok(()) => Ok(room),
        Err(_) => Err(out_of_memory(label)),
    }
}

fn out_of_memory(label: &str) -> Error {
    Error::OutOfMemory { what: label.to_owned() }
}

impl Pending {
    /// The numbers, as soon as they are there.
    ///
    /// # Errors
    /// Any fault of the device up to here.
    pub fn wait(self, engine: &Engine) -> Result<Vec<f64>> {
        match (self, &engine.0.backend) {
            (Self::Ready(values), _) => Ok(values),
            (Self::Device(read), Backend::Gpu(gpu)) => gpu.finish(read),
            (Self::Device(_), Backend::Cpu) => Err(wrong_engine("read-back")),
        }
    }
}
