//! What the Emperor does, one sentence each.

mod belongings;
mod brood;
mod commanded;
mod confided;
mod court;
mod holding;
mod limits;
mod on_demand;
mod pacing;
mod process;
mod readers;
mod reload;
mod sight;
mod stop;
mod table;
mod useless;
