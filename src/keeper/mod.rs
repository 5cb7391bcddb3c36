//! The log keeper: one process, nobody's, that reads what all vassals write, keeps the last of it, and hands on whole lines.

pub mod aside;
pub mod charter;
pub mod files;
mod filter;
mod gzip;
pub mod lines;
pub mod marks;
mod pace;
pub mod place;
mod readers;
pub mod role;
mod serve;
mod sink;
mod streams;
mod tail;
mod vassals;
pub mod words;
