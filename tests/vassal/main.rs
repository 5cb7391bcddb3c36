//! Runs real vassals, as root, under a pretended Emperor. What is seen here is what users and Emperors see.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod dev;
mod emperor;
mod hooks;
mod identity;
mod idmap;
mod life;
mod logs;
mod network;
mod phases;
#[path = "../common/program.rs"]
mod program;
mod proxy;
mod real;
mod rootfs;
mod rootfs_attacks;
mod router;
mod separation;
mod setns;
#[path = "../common/siege.rs"]
mod siege;
mod sockets;
mod surroundings;
mod tuntap_device;
mod user;
mod via;
mod zerg;
