//! Logs of root's vassals in directories that a tenant may write to. Row F2.

use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::atomic::{AtomicBool, Ordering};

use super::emperor::Place;

/// Who owns the directory.
const TENANT: u32 = 54_321;
/// Times that a vassal opens its log while the tenant swaps.
const OPENINGS: usize = 60;

/// A vassal that stays root and logs into a directory of the tenant's; the victim is elsewhere.
fn place() -> Place {
    let place = Place::new("logto = DIR/tenant/logs/passwd\ncommand = echo owned");
    place.directory("tenant", TENANT, 0o755);
    place.directory("etc", 0, 0o755);
    std::fs::write(place.path("etc/passwd"), "victim").unwrap();
    place
}

#[test]
fn no_link_on_the_way_leads_a_log_of_roots_elsewhere() {
    let place = place();
    symlink(place.path("etc"), place.path("tenant/logs")).unwrap();
    let outcome = place.run();
    assert!(outcome.errors.contains("ELOOP"), "{}", outcome.errors);
    assert_eq!(place.read("etc/passwd"), "victim");
}

#[test]
fn a_second_name_that_a_tenant_gave_a_file_of_roots_is_no_log() {
    let place = place();
    place.directory("tenant/logs", TENANT, 0o755);
    std::fs::hard_link(place.path("etc/passwd"), place.path("tenant/logs/passwd")).unwrap();
    let outcome = place.run();
    assert!(outcome.errors.contains("EMLINK"), "{}", outcome.errors);
    assert_eq!(place.read("etc/passwd"), "victim");
}

#[test]
fn a_directory_swapped_for_a_link_in_a_loop_leads_no_log_to_the_victim() {
    let place = place();
    let (logs, real, link) =
        (place.path("tenant/logs"), place.path("tenant/real"), place.path("tenant/link"));
    place.directory("tenant/real", TENANT, 0o755);
    symlink(place.path("etc"), &link).unwrap();
    let stop = AtomicBool::new(false);
    let logged = std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                for (from, to) in [(&real, &logs), (&logs, &real), (&link, &logs), (&logs, &link)] {
                    std::fs::rename(from, to).unwrap();
                }
            }
        });
        let logged = (0..OPENINGS).filter(|_| place.run().code() == 0).count();
        stop.store(true, Ordering::Relaxed);
        logged
    });
    assert_eq!(place.read("etc/passwd"), "victim");
    assert_eq!(std::fs::metadata(place.path("etc/passwd")).unwrap().uid(), 0);
    assert!(logged > 0, "no directory was met");
    assert!(logged < OPENINGS, "no link was met");
}
