//! What several messages say together.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::launch::{Bound, launch_each};
use crate::kernels::vector::NOTHING;
use crate::kernels::{check_length, index};

#[repr(C)]
#[derive(Clone, Copy, Pod, Zeroable)]
struct Params {
    length: u32,
    count: u32,
}

pub(crate) static SHADER: Shader =
    shader!("linear/sum_messages", Params, [Read, Read, Read, Read, Read, Read, Write], &[&[]]);

/// Arrays that one launch adds: eight bindings are portable.
const AT_ONCE: usize = 6;

/// out = sum of the messages, never below [`NOTHING`]; zeros for none.
pub(crate) fn sum_messages(
    engine: &Engine,
    messages: &[&Array],
    out: &mut Array,
    scratch: &mut Array,
) -> Result<()> {
    for message in messages {
        check_length("a message", message.len(), out.len())?;
    }
    let Backend::Gpu(gpu) = engine.backend() else {
        let messages = messages.iter().map(|array| array.host()).collect::<Result<Vec<_>>>()?;
        let out = out.host_mut()?;
        engine.run_twin(SHADER.name, || {
            for (i, out) in out.iter_mut().enumerate() {
                *out = messages.iter().map(|message| message[i]).sum::<f64>().max(NOTHING);
            }
        });
        return Ok(());
    };
    let Some(&first) = messages.first() else {
        return engine.write(out, &vec![0.0; out.len()]);
    };
    let launch = |messages: &[&Array], out: &Array| {
        let mut bound: [&dyn Bound; AT_ONCE + 1] = [first; AT_ONCE + 1];
        for (bound, message) in bound.iter_mut().zip(messages) {
            *bound = *message;
        }
        bound[AT_ONCE] = out;
        let length = index("a message", out.len())?;
        let params = Params { length, count: messages.len() as u32 };
        launch_each(engine, gpu, &SHADER, &[], &bound, &params, (out.len(), out.len() as f64))
    };
    let (now, later) = messages.split_at(messages.len().min(AT_ONCE));
    launch(now, out)?;
    for more in later.chunks(AT_ONCE - 1) {
        engine.copy(out, scratch)?;
        let mut terms: Vec<&Array> = vec![&*scratch];
        terms.extend(more);
        launch(&terms, out)?;
    }
    Ok(())
}
