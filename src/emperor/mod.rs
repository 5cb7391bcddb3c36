//! Pure. What the Emperor decides.

pub mod event;
pub mod order;
