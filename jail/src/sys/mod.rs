//! The only unsafe code: one safe function for each system call.

mod fork;
mod inherited;

pub use fork::fork;
pub use inherited::{FIRST, adopt, close_on_exec_from, place};
