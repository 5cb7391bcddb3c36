//! Pure. What a router tells of itself and of its peers, as JSON: the keys of uWSGI's stats, and more.

use core::net::IpAddr;

use super::book::Book;
use super::chain::Chain;
use super::charter::Charter;
use super::grant::Grant;
use super::json::Json;
use super::reason::Reason;
use super::router::Router;
use super::tally::{Account, Flow, Tally};

/// Bytes behind the last peer: how many are left out.
const LEFT_OUT_MAX: usize = 48;

/// Who a connection is, beside what the router knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) pid: i32,
    pub(super) name: String,
    pub(super) label: String,
    pub(super) addresses: Vec<IpAddr>,
    /// Its packets go through a device, not through its connection.
    pub(super) has_device: bool,
    /// Bytes from it, bytes to it, packets that did not fit: as uWSGI counts, from the router's side.
    pub(super) counts: [u64; 3],
    /// Seconds since 1970.
    pub(super) since: u64,
    pub(super) queue_bytes: usize,
}

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub(super) struct Report<'a> {
    pub(super) charter: &'a Charter,
    pub(super) router: &'a Router,
    pub(super) book: &'a Book,
    pub(super) generation: u64,
    pub(super) pid: i32,
    /// User and group.
    pub(super) ids: (u32, u32),
}

impl Report<'_> {
    /// Everything.
    pub(super) fn text(&self, lines: impl Iterator<Item = Line>) -> String {
        let mut json = Json::default();
        json.object(|json| {
            self.head(json);
            json.row_at("peers", |json| lines.for_each(|line| self.peer(json, &line)));
            self.host(json);
        });
        json.text()
    }

    /// What one user may know: his own peers, as many as these bytes have room for, and how many are left out.
    pub(super) fn text_of_user(&self, lines: impl Iterator<Item = Line>, most: usize) -> Option<String> {
        let most = most.checked_sub(LEFT_OUT_MAX)?;
        let mut json = Json::default();
        let mut left_out = 0_u64;
        json.object(|json| {
            self.head(json);
            json.row_at("peers", |json| {
                for line in lines {
                    let fits = left_out == 0 && json.fits(most, |json| self.peer(json, &line));
                    left_out += u64::from(!fits);
                }
            });
            if left_out > 0 {
                json.number_at("left_out", left_out);
            }
        });
        Some(json.text()).filter(|text| text.len() <= most + LEFT_OUT_MAX)
    }

    fn head(&self, json: &mut Json) {
        json.text_at("version", env!("CARGO_PKG_VERSION"));
        json.number_at("pid", self.pid.unsigned_abs());
        json.number_at("uid", self.ids.0);
        json.number_at("gid", self.ids.1);
        json.text_at("cwd", "/");
        json.text_at("device", &self.charter.device);
        json.text_at("socket", &self.charter.socket);
        json.text_at("policy", &self.charter.policy);
        json.number_at("mtu", self.charter.mtu);
        json.row_at("addresses", |json| {
            let addresses = self.charter.addresses.iter();
            addresses.for_each(|(address, length)| json.text_of(format_args!("{address}/{length}")));
        });
        json.number_at("generation", self.generation);
    }

    fn peer(&self, json: &mut Json, line: &Line) {
        json.object(|json| {
            let first = line.addresses.iter().find(|address| address.is_ipv4()).or(line.addresses.first());
            json.text_at("addr", first.map(ToString::to_string).unwrap_or_default());
            json.number_at("addr_32", first.map_or(0, |address| native(*address)));
            json.number_at("uid", line.uid);
            json.number_at("gid", line.gid);
            json.number_at("pid", line.pid.unsigned_abs());
            json.number_at("rx", line.counts[0]);
            json.number_at("tx", line.counts[1]);
            json.number_at("dropped", line.counts[2]);
            json.text_at("name", &line.name);
            json.text_at("label", &line.label);
            json.row_at("addresses", |json| line.addresses.iter().for_each(|address| json.text_of(address)));
            json.text_at("through", if line.has_device { "device" } else { "stream" });
            json.number_at("registered_at", line.since);
            json.number_at("queue_bytes", line.queue_bytes as u64);
            json.number_at("limit", self.charter.queue_bytes as u64);
            // Who has no name shares its account with all the others.
            if let Some(account) = self.router.accounts().get(&line.name) {
                account_in(json, account);
            }
        });
    }

    fn host(&self, json: &mut Json) {
        json.row_at("accounts", |json| {
            for (name, account) in self.router.accounts().all() {
                json.object(|json| {
                    json.text_at("name", name);
                    account_in(json, account);
                });
            }
        });
        json.row_at("granted", |json| {
            let grants = self.charter.peers.iter().filter_map(|text| Grant::parse(text).ok());
            grants.for_each(|grant| json.text_of(&grant.name));
        });
        json.object_at("rules", |json| {
            let chains = self.router.chains();
            chain_in(json, "in", &self.book.incoming, Some(&chains.incoming));
            chain_in(json, "out", &self.book.outgoing, Some(&chains.outgoing));
            chain_in(json, "route", &self.book.routes, chains.routes.as_ref());
        });
    }
}

/// The address's bytes as this machine reads a number; 0 for one of version 6.
fn native(address: IpAddr) -> u32 {
    match address {
        IpAddr::V4(address) => u32::from_ne_bytes(address.octets()),
        IpAddr::V6(_) => 0,
    }
}

fn account_in(json: &mut Json, account: &Account) {
    flow_in(json, "sent", &account.sent);
    flow_in(json, "received", &account.received);
}

fn flow_in(json: &mut Json, key: &str, flow: &Flow) {
    json.object_at(key, |json| {
        tally_in(json, flow.passed);
        json.object_at("dropped", |json| {
            let dropped = Reason::all().map(|reason| (reason, flow.dropped[reason.index()]));
            let dropped = dropped.filter(|(_, count)| *count > 0);
            dropped.for_each(|(reason, count)| json.number_at(reason.name(), count));
        });
    });
}

fn tally_in(json: &mut Json, tally: Tally) {
    json.number_at("packets", tally.packets);
    json.number_at("bytes", tally.bytes);
}

/// The written rules with what they have met; routes without a socket meet nothing.
fn chain_in(json: &mut Json, key: &str, written: &[String], chain: Option<&Chain>) {
    json.row_at(key, |json| {
        let met: Vec<Tally> =
            chain.into_iter().flat_map(|chain| chain.rules().map(|(_, tally)| tally)).collect();
        for (index, rule) in written.iter().enumerate() {
            json.object(|json| {
                json.text_at("rule", rule);
                tally_in(json, met.get(index).copied().unwrap_or_default());
            });
        }
    });
}
