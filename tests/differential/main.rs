//! The same configs under a real uWSGI Emperor and under ours, at the same time: what a vassal finds in its hands and
//! hears, and what becomes of it. What differs on purpose stands in `docs/differences.md`, and is asserted here.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

#[path = "../common/mod.rs"]
mod common;

mod blob;
mod changed;
mod descriptors;
mod ended;
mod farewells;
mod found;
mod hooks;
mod pair;
mod signalled;
mod spoken;
mod tyrant;
