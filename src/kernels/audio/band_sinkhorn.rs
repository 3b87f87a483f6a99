//! Sinkhorn's iteration between two spectrograms, frequency by frequency.

use super::Operands;
use super::lags::{BLOCK, Held, lag_masses, product};
use super::scaling::{Account, scale, times, total, zero};
use super::sinkhorn::{Column, Kernel, Params, Twin};
use crate::engine::{Engine, Shader, shader};
use crate::error::Result;
use crate::kernels::check_length;

pub(crate) static SHADER: Shader = shader!(
    "audio/band_sinkhorn",
    Params,
    [Read, Read, Read, Write, Write],
    &[
        &[("LOGS", 0), ("HELD", 256), ("THREADS", 128)],
        &[("LOGS", 1), ("HELD", 256), ("THREADS", 128)]
    ]
);

/// So many iterations of
///
/// ```text
/// a_i = r_i / (sum_d G_d b_(i + d) + g sum_j b_j),  b_j = s_j / (sum_d G_d a_(j - d) + g sum_i a_i)
/// ```
///
/// between the columns r and s of two microphones, for every plan and frequency, with the kernel G that
/// the row of lags of the plan lists and the outlier's weight g; laws other than fixed marginals change
/// the quotients ([`super::Marginal`]). Leaves in the profiles, weighted, G_d sum_i a_i b_(i + d) for
/// every lag and an account.
pub(crate) fn band_sinkhorn(engine: &Engine, operands: Operands<'_>) -> Result<()> {
    check_length("the microphones", operands.extent.microphones, 2)?;
    operands.run::<Band>(engine, &Kernel { shader: &SHADER, rows: 1, slots: 2, messages: None })
}

struct Band;

impl Twin for Band {
    #[inline(always)]
    fn run<const LOGS: bool, const FUSED: bool>(
        column: &Column<'_>,
        scalings: &mut [f64],
        masses: &mut [f64],
    ) -> Account {
        let Column { rounds, frames, .. } = *column;
        let (row, law) = (&column.rows[0], rounds.law);
        let outlier = column.outlier();
        let (here, there) = (column.target(0), column.target(1));
        let mut a = Held::new(frames, row.reach(), LOGS);
        let mut b = a.clone();
        let mut seen = vec![0.0; frames.next_multiple_of(BLOCK)];
        let (first, second) = scalings.split_at_mut(frames);
        b.get_mut().copy_from_slice(second);
        for _ in 0..rounds.iterations {
            product::<LOGS, FUSED>(row, 1, &b, &mut seen);
            let behind = background::<LOGS, FUSED>(outlier, &b);
            scale::<LOGS, FUSED>(law, here, &seen, behind, a.get_mut());
            product::<LOGS, FUSED>(row, -1, &a, &mut seen);
            let ahead = background::<LOGS, FUSED>(outlier, &a);
            scale::<LOGS, FUSED>(law, there, &seen, ahead, b.get_mut());
        }
        first.copy_from_slice(a.get());
        second.copy_from_slice(b.get());

        let mut accounts = [Account::default(); 2];
        for (account, (sign, target, u, other)) in
            accounts.iter_mut().zip([(1, here, &a, &b), (-1, there, &b, &a)])
        {
            product::<LOGS, FUSED>(row, sign, other, &mut seen);
            let behind = background::<LOGS, FUSED>(outlier, other);
            account.add_all::<LOGS, FUSED>(law, target, u.get(), &seen, behind);
        }
        lag_masses::<LOGS, FUSED>(row, a.get(), b.get(), column.share, masses);
        let [rows, cols] = accounts;
        Account {
            dual: rows.dual + cols.dual,
            residual: rows.residual,
            // Of a plan that is not done, the mass that the columns see is right.
            mass: cols.mass,
            price: rows.price + cols.price,
        }
    }
}

/// What the outlier source makes everywhere of the scalings of the other microphone.
#[inline(always)]
fn background<const LOGS: bool, const FUSED: bool>(outlier: Option<f64>, held: &Held) -> f64 {
    match outlier {
        Some(weight) => times::<LOGS>(weight, total::<LOGS, FUSED>(held.get())),
        None => zero::<LOGS>(),
    }
}
