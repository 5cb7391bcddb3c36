//! What a tenant may try against root, the Emperor and his neighbours: one room for each kind of attack.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../neighbour/mod.rs"]
mod neighbour;

mod configs;
mod control;
mod deaths;
mod descriptors;
#[cfg(target_arch = "x86_64")]
mod filters;
mod floods;
mod hung;
mod ids;
mod jail;
mod namespaces;
mod privileges;
mod setid;
mod shares;
mod visits;
