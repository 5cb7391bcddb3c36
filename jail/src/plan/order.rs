//! Pure. The order of the steps, each with its reason.

use std::os::fd::RawFd;

use super::{Fence, Namespaces, Network, Phase, Plan, Spec, Step};

/// Puts a jail into order.
///
/// A step that would touch the host, because the namespace it belongs to is not asked for, is left out:
/// no private mounts and no `/proc` without `fs` (and `pid`), no host name without `uts`.
pub fn plan(spec: &Spec) -> Plan {
    let steps = [alone(spec), surroundings(spec), before_drop(spec), drop_rights(spec), at_last(spec)];
    let steps = steps.into_iter().flatten().collect();
    Plan { namespaces: made_by_clone(spec), steps, environment: spec.environment.clone() }
}

/// The namespaces that `clone3(2)` makes. Three of them come later, as steps: a network is joined, or made by the
/// child while we make the next one (it costs as much as all the others together); and a cgroup namespace must be
/// made by the child itself, else its root is the cgroup of our spawner and not the one the child was born into; and
/// clocks are set by whoever is not yet in their namespace.
fn made_by_clone(spec: &Spec) -> Namespaces {
    spec.namespaces.without(Namespaces::NET).without(Namespaces::CGROUP).without(Namespaces::TIME)
}

/// A pooled network belongs to the host's user namespace: root of another one may not enter it.
fn pooled(spec: &Spec) -> Option<Step> {
    match spec.network {
        Network::Pooled(fd) if has(spec, Namespaces::NET) && !has(spec, Namespaces::USER) => {
            Some(Step::JoinNetwork(fd))
        }
        Network::Pooled(_) | Network::Fresh => None,
    }
}

fn has(spec: &Spec, namespaces: Namespaces) -> bool {
    spec.namespaces.has(namespaces)
}

/// Away from everything of ours that could reach the child.
fn alone(spec: &Spec) -> Vec<Step> {
    let mut steps = Vec::new();
    // First: no signal of a terminal of ours, and no group of ours, reaches what follows.
    steps.extend(spec.session.then_some(Step::NewSession));
    // Early: what follows may wait for a program, and our death must not leave it behind.
    steps.extend(spec.dies_with_parent.then_some(Step::DieWithParent));
    // With our rights and before the map: keyrings of ours are not paid for by a tenant's quota of keys, our own `/proc`
    // is still to be seen, and whatever is run later has them.
    steps.extend(spec.settings.iter().cloned().map(Step::Set));
    // Before everything that needs rights: without a map the child is nobody, even in its own namespace.
    steps.extend(spec.user_map.clone().filter(|_| has(spec, Namespaces::USER)).map(Step::MapUser));
    steps
}

/// The namespaces made fit for use, while CAP_SYS_ADMIN is there.
fn surroundings(spec: &Spec) -> Vec<Step> {
    let fresh_network = has(spec, Namespaces::NET) && pooled(spec).is_none();
    let mounts = spec.mounts.as_ref().filter(|_| has(spec, Namespaces::FS));
    let own_proc = spec.proc && mounts.is_none() && has(spec, Namespaces::FS.with(Namespaces::PID));
    let steps = [
        // Here, after birth: its root is then the child's own cgroup.
        has(spec, Namespaces::CGROUP).then_some(Step::Unshare(Namespaces::CGROUP)),
        // While the host's `/proc` is there, which names it.
        has(spec, Namespaces::TIME).then(|| Step::NewTime(Vec::new())),
        // Needs CAP_SYS_ADMIN over that network: before the drop.
        pooled(spec),
        // Before `lo` is brought up in it.
        fresh_network.then_some(Step::Unshare(Namespaces::NET)),
        // Before any mount: one made while mounts are shared shows up on the host.
        has(spec, Namespaces::FS).then_some(Step::PrivateMounts),
        // After the mounts are private, by a member of the pid namespace that it is to show.
        own_proc.then_some(Step::MountProc),
        // Before anything is made in a file system of this user namespace: our own ids have no number there.
        mounts.and(spec.file_ids).map(|(uid, gid)| Step::FileIds(uid, gid)),
        // In the same place, for the same reason.
        mounts.cloned().map(Step::Mounts),
        // Before hooks, which may want to talk to themselves.
        fresh_network.then_some(Step::LoopbackUp),
        // Before hooks, which may read it.
        spec.hostname.clone().filter(|_| has(spec, Namespaces::UTS)).map(Step::Hostname),
        // Before the first program is run: it would inherit our blocked and ignored signals.
        Some(Step::DefaultSignals),
    ];
    steps.into_iter().flatten().collect()
}

/// What is still done with our rights, because a tenant's would not suffice.
fn before_drop(spec: &Spec) -> Vec<Step> {
    // Once the namespaces are there: whoever is waited for may reach into them. Before the first program is run.
    let mut steps: Vec<Step> = spec.awaited.clone().map(Step::Await).into_iter().collect();
    steps.extend(hooks(spec, Phase::AsVassalBeforeDrop));
    // After the last mount that is made with rights, while there is still CAP_SYS_ADMIN.
    steps.extend((spec.no_new_privs && has(spec, Namespaces::FS)).then_some(Step::NosuidMounts));
    // By descriptor and with our rights: a directory that the tenant may not reach by path still works.
    steps.extend(spec.directory.map(|directory| directory_step(spec, directory)));
    // After the last use of a descriptor of ours, before the drop: the moment the tenant's other processes
    // may do anything to the child, it holds nothing that is not theirs.
    steps.push(Step::Descriptors(spec.descriptors.clone()));
    steps
}

/// A directory of somebody else's mounts is a way out of our own.
fn directory_step(spec: &Spec, directory: RawFd) -> Step {
    match &spec.directory_path {
        Some(path) if has(spec, Namespaces::FS) => Step::DirectoryBelow(directory, path.clone()),
        None if has(spec, Namespaces::FS) => Step::DirectoryAmongOurs(directory),
        _ => Step::Directory(directory),
    }
}

/// Rights go, in the one order that works.
fn drop_rights(spec: &Spec) -> Vec<Step> {
    let changed = spec.identity.is_some() || (spec.mounts.is_some() && spec.file_ids.is_some());
    let again = spec.dies_with_parent && changed;
    let steps = [
        // Needs CAP_SETPCAP: before the capabilities go. What is kept must stay in it, else it cannot be kept.
        spec.bounding.map(|set| Step::Bound(set.with(spec.keep))),
        identity(spec),
        // After the ids, so that nothing between the two depends on it; before any program of the vassal.
        spec.no_new_privs.then_some(Step::NoNewPrivs),
        // Again: the change of ids cleared it.
        again.then_some(Step::DieWithParent),
    ];
    // After `no_new_privs`, as the filters, and before them: nothing but Landlock itself needs its calls.
    let scopes = spec.scopes;
    let fence = (spec.no_new_privs && !scopes.is_empty())
        .then(|| Step::Landlock(Fence { scopes, ..Fence::default() }));
    // After `no_new_privs`, without which the kernel takes a filter from nobody who dropped his rights; after all
    // steps of ours; before any program that runs with the vassal's ids.
    let filters = spec.filters.iter().filter(|_| spec.no_new_privs).map(|filter| Step::Filter(*filter));
    steps.into_iter().flatten().chain(fence).chain(filters).collect()
}

fn identity(spec: &Spec) -> Option<Step> {
    let groups_stay = has(spec, Namespaces::USER) && spec.user_map.as_ref().is_some_and(|map| !map.groups);
    match &spec.identity {
        Some(identity) if groups_stay => Some(Step::IdentityKeepingGroups(identity.clone(), spec.keep)),
        Some(identity) => Some(Step::Identity(identity.clone(), spec.keep)),
        // Nothing was asked for: the parent's rights stay, root of a user namespace stays root of it.
        None if spec.keep.is_empty() => None,
        None if has(spec, Namespaces::USER) => Some(Step::RootCapabilities(spec.keep)),
        None => Some(Step::Capabilities(spec.keep)),
    }
}

fn at_last(spec: &Spec) -> Vec<Step> {
    let mut steps = hooks(spec, Phase::AsVassal);
    // By path, so with the rights of the program.
    steps.extend(spec.arrival.clone().map(Step::ChangeDirectory));
    steps.push(Step::Exec(spec.program.clone()));
    steps
}

fn hooks(spec: &Spec, when: Phase) -> Vec<Step> {
    let errands = spec.errands.iter().filter(|errand| errand.phase == when);
    let programs = spec.hooks.iter().filter(|(phase, _)| *phase == when);
    let programs = programs.map(|(phase, program)| Step::Run(*phase, program.clone()));
    errands.map(|errand| Step::Errand(errand.clone())).chain(programs).collect()
}
