//! What several messages say together.

use bytemuck::{Pod, Zeroable};

use crate::engine::{Array, Backend, Engine, Launch, Shader, shader};
use crate::error::Result;
use crate::kernels::vector::NOTHING;
use crate::kernels::{check_length, groups_of_256, index};

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
        let mut bindings = [first.buffer()?.into(); AT_ONCE + 1];
        for (binding, message) in bindings.iter_mut().zip(messages) {
            *binding = message.buffer()?.into();
        }
        bindings[AT_ONCE] = out.buffer()?.into();
        engine.launch(
            gpu,
            &Launch {
                shader: &SHADER,
                constants: &[],
                bindings: &bindings,
                immediates: bytemuck::bytes_of(&Params {
                    length: index("a message", out.len())?,
                    count: messages.len() as u32,
                }),
                workgroups: groups_of_256(out.len()),
                work: out.len() as f64,
            },
        )
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
