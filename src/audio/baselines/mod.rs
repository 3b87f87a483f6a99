//! The methods that others are compared with, each as its authors have it.
//!
//! | | finds | holds for |
//! |---|---|---|
//! | [`gcc_phat`] | delays | sources that do not often sound at once at the same frequency |
//! | [`mccc`] | delays | the same, all microphones at once |
//! | [`delay_and_sum`] | sources | known delays, many microphones |
//! | [`Fdica`] | sources | as many as microphones, delays far below the window |
//! | [`Mnmf`] | sources | delays far below the window |

mod delay_and_sum;
mod fdica;
mod gcc_phat;
mod mccc;
mod mnmf;
mod murata;
mod pairs;

pub use delay_and_sum::delay_and_sum;
pub use fdica::Fdica;
pub use gcc_phat::gcc_phat;
pub use mccc::mccc;
pub use mnmf::Mnmf;
