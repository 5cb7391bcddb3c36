//! The router as a process, between real devices in network namespaces of their own. Needs root.
//!
//! The Emperor is this test; the router is this program again, as `the_router_itself`.
#![allow(clippy::unwrap_used, reason = "a test ends where anything is not as it should be")]

mod answers;
mod attacks;
mod borders;
mod clients;
mod crowds;
mod emperor;
mod jail;
mod lingering;
mod lives;
mod network;
mod peers;
mod questions;
mod scarcity;
mod segments;
mod surroundings;

/// What the Emperor of a test runs: nothing in an ordinary run.
#[test]
fn the_router_itself() {
    emperor::be_the_router();
}
