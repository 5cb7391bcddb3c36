//! Runs real vassals, as root, under a pretended Emperor. What is seen here is what users and Emperors see.

mod emperor;
mod identity;
mod life;
mod phases;
mod sockets;
