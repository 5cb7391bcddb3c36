//! Pure. Daemons beside the command of a vassal: when each is started, told to stop and started again, and the words about it.

pub mod life;
mod pace;
pub mod words;

pub use life::{Leaving, Life, Order};
pub use pace::Pace;
pub use words::{Steering, Word};
