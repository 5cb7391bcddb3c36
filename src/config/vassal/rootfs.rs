//! Pure. What a config says of the vassal's file system, typed.

use core::net::IpAddr;
use std::path::{Component, Path, PathBuf};

use jail::plan::{Attributes, Depth, HARMLESS};

use super::VassalConfig;
use crate::config::admit::value;
use crate::config::place::{ConfigError, Entry, Placed};
use crate::config::show::quoted;
use crate::config::values::{Wrong, count, flag, hostname, path, text, wrong};

/// Mounts that one config may ask for.
const MOUNTS_MAX: usize = 1_000;

/// What is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RootfsConfig {
    /// The last of `rootfs`, `chroot`, `pivot-root` and `namespace`.
    pub root: Option<Placed<RootWish>>,
    /// A second, different one.
    pub other_root: Option<Placed<RootWish>>,
    /// `rootfs = … idmap`: the ids that its files have on disk.
    pub root_idmap: Option<Placed<DiskIds>>,
    /// Everything below it, in the order written.
    pub mounts: Vec<Placed<MountWish>>,
    /// `namespace-net`.
    pub namespace_net: Option<Placed<String>>,
}

/// What `/` is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RootWish {
    /// `rootfs`.
    Rootfs(PathBuf, Writes),
    /// `chroot`.
    Chroot(PathBuf),
    /// `pivot-root`: the new root, and the old one in it.
    Pivot(PathBuf, PathBuf),
    /// `namespace`.
    Namespace(PathBuf),
}

/// Uids and gids of the same numbers that files have on disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DiskIds {
    /// The first one.
    pub first: u32,
    /// How many follow each other.
    pub count: u32,
    /// What the first one is seen as; `None`: as the vassal's.
    pub seen: Option<u32>,
}

/// Where writes to a `rootfs` go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writes {
    /// To the directory itself.
    Through,
    /// Nowhere.
    Nowhere,
    /// To memory.
    Memory,
}

/// Something below `/`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MountWish {
    /// `bind`: source, place, attributes, depth.
    Bind(PathBuf, PathBuf, Attributes, Depth),
    /// The same with the flag `idmap`: the ids that its files have on disk.
    BindOwned(PathBuf, PathBuf, (Attributes, Depth), DiskIds),
    /// `tmpfs`: place and bytes.
    Memory(PathBuf, Option<u64>),
    /// `proc`.
    Proc,
    /// `dev = minimal`.
    DevMinimal,
    /// `dev = host`.
    DevHost,
    /// `mask`.
    Mask(PathBuf),
    /// `readonly`.
    Readonly(PathBuf),
    /// `etc-hosts = generate`.
    HostsMade,
    /// `etc-hosts = host`, `resolv-conf = host`: the same path outside and inside.
    Copy(&'static str),
    /// `resolv-conf` with name servers.
    Resolvers(Vec<IpAddr>),
    /// `namespace-keep-mount`: source and place.
    Keep(PathBuf, PathBuf),
}

/// Host names are looked up here.
pub const HOSTS: &str = "/etc/hosts";
/// Name servers stand here.
pub const RESOLV_CONF: &str = "/etc/resolv.conf";

/// Reads one option, if it is one of these.
///
/// # Errors
/// What is wrong with its value.
pub(super) fn read(config: &mut RootfsConfig, name: &str, entry: &Entry) -> Result<(), ConfigError> {
    match name {
        "rootfs" => {
            let (wish, idmap) = value(entry, rootfs)?;
            config.root_idmap = idmap.map(|id| entry.placed(id));
            root(config, entry, wish);
        }
        "chroot" => root(config, entry, RootWish::Chroot(value(entry, absolute)?)),
        "pivot-root" => root(config, entry, value(entry, pivot)?),
        "namespace-net" => config.namespace_net = Some(entry.placed(value(entry, text)?)),
        "proc" if !value(entry, flag)? => {}
        _ => {
            if let Some(wish) = mount(name, entry)? {
                config.mounts.push(entry.placed(wish));
            }
        }
    }
    Ok(())
}

fn mount(name: &str, entry: &Entry) -> Result<Option<MountWish>, ConfigError> {
    Ok(Some(match name {
        "bind" => value(entry, bind)?,
        "tmpfs" => value(entry, memory)?,
        "proc" => MountWish::Proc,
        "dev" => value(entry, dev)?,
        "mask" => MountWish::Mask(value(entry, below_root)?),
        "readonly" => MountWish::Readonly(value(entry, below_root)?),
        "etc-hosts" => value(entry, hosts)?,
        "resolv-conf" => value(entry, resolvers)?,
        "namespace-keep-mount" => value(entry, keep)?,
        _ => return Ok(None),
    }))
}

/// `DIRECTORY[:HOSTNAME]`.
///
/// # Errors
/// No absolute path, or no host name.
pub(super) fn namespace(config: &mut VassalConfig, entry: &Entry) -> Result<(), ConfigError> {
    let (directory, name) = entry.value.split_once(':').map_or((&*entry.value, None), |(a, b)| (a, Some(b)));
    let directory = value(entry, |_| absolute(directory))?;
    root(&mut config.rootfs, entry, RootWish::Namespace(directory));
    if let Some(name) = name {
        config.hostname = Some(entry.placed(value(entry, |_| hostname(name))?));
    }
    Ok(())
}

fn root(config: &mut RootfsConfig, entry: &Entry, wish: RootWish) {
    let kind = std::mem::discriminant(&wish);
    let old = config.root.replace(entry.placed(wish));
    // A later one replaces an earlier one of its kind.
    config.other_root =
        old.filter(|old| std::mem::discriminant(&old.value) != kind).or(config.other_root.take());
}

/// What no single option shows.
pub(super) fn contradictions(config: &RootfsConfig) -> Vec<ConfigError> {
    let mut errors = Vec::new();
    if let (Some(root), Some(other)) = (&config.root, &config.other_root) {
        let cause = format!("another option has said already what `/` is ({})", other.place);
        errors.push(ConfigError::at(&root.place, cause).cure("leave out one of the two"));
    }
    if let Some(one) = config.mounts.get(MOUNTS_MAX) {
        errors.push(ConfigError::at(&one.place, format!("more than {MOUNTS_MAX} mounts")).cure("use fewer"));
    }
    errors
}

/// What only `namespace` gives a meaning.
pub fn lonely(config: &RootfsConfig) -> Vec<ConfigError> {
    if matches!(config.root.as_ref().map(|root| &root.value), Some(RootWish::Namespace(_))) {
        return Vec::new();
    }
    let kept = config.mounts.iter().filter(|one| matches!(one.value, MountWish::Keep(..)));
    let kept = kept.map(|one| {
        ConfigError::at(&one.place, "`namespace-keep-mount` without `namespace`")
            .cure("use `bind`, which works with any root")
    });
    let net = config.namespace_net.iter().map(|net| {
        ConfigError::at(&net.place, "`namespace-net` without `namespace`").cure("use `unshare = net`")
    });
    kept.chain(net).collect()
}

/// An absolute path without `.` and `..`: what it names does not depend on what lies on the way.
fn absolute(value: &str) -> Result<PathBuf, Wrong> {
    let path = path(value)?;
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    match path.is_absolute() && plain {
        true => Ok(path.components().collect()),
        false => wrong(
            format!("{} is no absolute path without `..`", quoted(value)),
            "write the whole path, from `/` on",
        ),
    }
}

/// Inside, and not `/` itself.
fn below_root(value: &str) -> Result<PathBuf, Wrong> {
    match absolute(value)? {
        path if path == Path::new("/") => {
            wrong("`/` itself is what `rootfs` is for", "name something below it")
        }
        path => Ok(path),
    }
}

/// `DIRECTORY [ro|overlay] [idmap[=…]]`.
fn rootfs(value: &str) -> Result<(RootWish, Option<DiskIds>), Wrong> {
    let value = value.trim_end();
    let (value, id) = match value.rsplit_once([' ', '\t']) {
        Some((rest, word)) if word == IDMAP || word.starts_with("idmap=") => (rest, Some(idmap(word)?)),
        _ => (value, None),
    };
    match (rootfs_plain(value)?, id) {
        (RootWish::Rootfs(_, Writes::Memory), Some(_)) => {
            wrong("an overlay is nobody else's", "leave out `idmap` or `overlay`")
        }
        (wish, id) => Ok((wish, id)),
    }
}

fn rootfs_plain(value: &str) -> Result<RootWish, Wrong> {
    let (directory, writes) = match value.trim_end().rsplit_once([' ', '\t']) {
        Some((directory, "ro")) => (directory, Writes::Nowhere),
        Some((directory, "overlay")) => (directory, Writes::Memory),
        Some((_, odd)) if !odd.contains('/') => {
            return wrong(
                format!("{} says nothing of a root", quoted(odd)),
                "write: DIRECTORY, DIRECTORY ro, or DIRECTORY overlay; idmap may follow",
            );
        }
        _ => (value, Writes::Through),
    };
    absolute(directory.trim_end()).map(|directory| RootWish::Rootfs(directory, writes))
}

/// `NEW OLD`: OLD as seen from outside, below NEW.
fn pivot(value: &str) -> Result<RootWish, Wrong> {
    let cure = "write: NEW OLD, where OLD is an empty directory below NEW, such as /srv/root /srv/root/old";
    let Some((new, old)) = value.trim().split_once([' ', '\t']) else {
        return wrong(format!("{} are not two directories", quoted(value)), cure);
    };
    let (new, old) = (absolute(new)?, absolute(old.trim_start())?);
    match old.strip_prefix(&new) {
        Ok(rest) => Ok(RootWish::Pivot(new, Path::new("/").join(rest))),
        Err(_) => wrong(format!("{} is not below the new root", quoted(&old.to_string_lossy())), cure),
    }
}

fn bind(value: &str) -> Result<MountWish, Wrong> {
    let cure = "write: SOURCE:PLACE or SOURCE:PLACE:FLAG,FLAG";
    let parts: Vec<&str> = value.split(':').collect();
    let (source, place, flags) = match parts[..] {
        [source, place] => (source, place, ""),
        [source, place, flags] => (source, place, flags),
        _ => return wrong(format!("{} is not SOURCE:PLACE", quoted(value)), cure),
    };
    let (attributes, depth, idmap) = bind_flags(flags)?;
    let (source, place) = (absolute(source)?, below_root(place)?);
    match idmap {
        None => Ok(MountWish::Bind(source, place, attributes, depth)),
        // Whoever writes there writes as the owner on disk: such a file must mean nothing more here.
        Some(_) if !attributes.has(HARMLESS) => {
            wrong("`idmap` with `suid` or `dev`", "leave out one of the two")
        }
        Some(id) => Ok(MountWish::BindOwned(source, place, (attributes, depth), id)),
    }
}

const IDMAP: &str = "idmap";

/// `idmap[=ID|FIRST-LAST@SEEN]`: root's files when nothing is said.
fn idmap(word: &str) -> Result<DiskIds, Wrong> {
    let Some(ids) = word.strip_prefix(IDMAP).and_then(|rest| rest.strip_prefix('=')) else {
        return Ok(DiskIds { first: 0, count: 1, seen: None });
    };
    let Some((range, seen)) = ids.split_once('@') else {
        return Ok(DiskIds { first: disk_id(ids)?, count: 1, seen: None });
    };
    let (first, last) = range.split_once('-').unwrap_or((range, range));
    let (first, last, seen) = (disk_id(first)?, disk_id(last)?, disk_id(seen)?);
    let count = last.checked_sub(first).map(|more| more + 1);
    // All ones is "no id" to the kernel.
    match count.filter(|count| seen.checked_add(*count).is_some()) {
        Some(count) => Ok(DiskIds { first, count, seen: Some(seen) }),
        None => wrong(
            format!("{} are no ids", quoted(ids)),
            "write FIRST-LAST@SEEN, such as 0-65535@100000: ids on disk, and what the first one is seen as",
        ),
    }
}

fn disk_id(id: &str) -> Result<u32, Wrong> {
    match count(id)? {
        u32::MAX => wrong(format!("{} is no id", quoted(id)), "use the id that owns the files on disk"),
        id => Ok(id),
    }
}

fn bind_flags(flags: &str) -> Result<(Attributes, Depth, Option<DiskIds>), Wrong> {
    let (mut attributes, mut depth, mut owner) = (HARMLESS, Depth::One, None);
    for word in flags.split(',').filter(|word| !word.is_empty()) {
        match word {
            id if id == IDMAP || id.starts_with("idmap=") => owner = Some(idmap(id)?),
            "rw" => attributes = attributes.without(Attributes::RO),
            "suid" => attributes = attributes.without(Attributes::NOSUID),
            "dev" => attributes = attributes.without(Attributes::NODEV),
            "exec" => attributes = attributes.without(Attributes::NOEXEC),
            "rbind" => depth = Depth::All,
            name => match Attributes::named(name).filter(|one| *one != Attributes::IDMAPPED) {
                Some(one) => attributes = attributes.with(one),
                None => {
                    return wrong(
                        format!("{} is no flag of a bind", quoted(name)),
                        "use some of: ro, rw, noexec, exec, nosuid, suid, nodev, dev, rbind, idmap",
                    );
                }
            },
        }
    }
    Ok((attributes, depth, owner))
}

fn memory(value: &str) -> Result<MountWish, Wrong> {
    let (place, size) = value.split_once(':').map_or((value, None), |(place, size)| (place, Some(size)));
    Ok(MountWish::Memory(below_root(place)?, size.map(bytes).transpose()?))
}

/// Digits with `k`, `m` or `g` (1024 each) or nothing after them; not 0.
fn bytes(value: &str) -> Result<u64, Wrong> {
    let (digits, shift) = match value.as_bytes().last().map(u8::to_ascii_lowercase) {
        Some(b'k') => (&value[..value.len() - 1], 10),
        Some(b'm') => (&value[..value.len() - 1], 20),
        Some(b'g') => (&value[..value.len() - 1], 30),
        _ => (value, 0),
    };
    let plain = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.parse::<u64>().ok().filter(|number| plain && *number > 0);
    let size =
        number.and_then(|number| number.checked_mul(1 << shift)).filter(|size| i64::try_from(*size).is_ok());
    size.map_or_else(
        || {
            wrong(
                format!("{} is no size", quoted(value)),
                "write bytes, or a number with k, m or g, such as 64m",
            )
        },
        Ok,
    )
}

fn dev(value: &str) -> Result<MountWish, Wrong> {
    match value {
        "minimal" => Ok(MountWish::DevMinimal),
        "host" => Ok(MountWish::DevHost),
        _ => wrong(format!("{} is no kind of /dev", quoted(value)), "use `minimal` or `host`"),
    }
}

fn hosts(value: &str) -> Result<MountWish, Wrong> {
    match value {
        "generate" => Ok(MountWish::HostsMade),
        "host" => Ok(MountWish::Copy(HOSTS)),
        _ => wrong(format!("{} is no kind of /etc/hosts", quoted(value)), "use `generate` or `host`"),
    }
}

fn resolvers(value: &str) -> Result<MountWish, Wrong> {
    if value == "host" {
        return Ok(MountWish::Copy(RESOLV_CONF));
    }
    let addresses: Option<Vec<IpAddr>> = text(value)?.split(',').map(|one| one.trim().parse().ok()).collect();
    match addresses {
        Some(addresses) => Ok(MountWish::Resolvers(addresses)),
        None => wrong(
            format!("{} has something that is no address", quoted(value)),
            "use `host`, or addresses such as 192.0.2.1,2001:db8::1",
        ),
    }
}

fn keep(value: &str) -> Result<MountWish, Wrong> {
    let (source, place) = value.split_once(':').unwrap_or((value, value));
    Ok(MountWish::Keep(absolute(source)?, below_root(place)?))
}
