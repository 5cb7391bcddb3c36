//! Routers between jails and the world. What they decide is pure and bears verdicts; this crate knows no emperor.
#![forbid(unsafe_code)]

mod clock;
pub mod forkpty;
pub mod packet;
pub mod parking;
mod ration;
pub mod tuntap;
