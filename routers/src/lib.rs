//! Routers between jails and the world. What they decide is pure and bears verdicts; this crate knows no emperor.
#![forbid(unsafe_code)]

pub mod forkpty;
pub mod parking;
pub mod tuntap;
