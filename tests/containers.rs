//! The containers of `examples/containers`: the long one, built by hooks as for uWSGI, and the short one. Both end up
//! with the same, in a root of busybox and in one of Debian.
#![allow(clippy::unwrap_used, reason = "a test ends where it finds what it did not expect")]

mod common;

use std::collections::BTreeSet;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use common::{Emperor, Start, Tree, eventually};

const EXAMPLES: [&str; 2] = ["by-hooks.ini", "declared.ini"];
const APPLETS: [&str; 9] = ["sh", "cat", "ls", "id", "touch", "hostname", "sed", "sleep", "grep"];
/// Directories that something is mounted on.
const PLACES: [&str; 8] = ["proc", "dev", "tmp", "run", "data", "mnt", "etc", "secret"];

/// What the container sees and may do; each line begins with `>`.
const LOOK: &str = r#"{
sed 's/^/mount /' /proc/self/mountinfo
for one in /dev/* /dev/shm/* /proc/1/cwd/*; do echo "sees $one"; done
for one in /x /etc/hosts /secret/x /proc/sys/kernel/hostname; do (echo y > $one) 2>/dev/null && echo "wrote $one"; done
for one in /tmp/mine /run/mine /data/kept /dev/shm/mine; do touch $one && echo "made $one"; done
cat /etc/hosts
echo "ids $(id -u) $(id -g) $(id -G) host $(hostname) secret $(cat /secret/file 2>&1)"
grep NoNewPrivs /proc/self/status
ls /proc | grep -c '^[0-9]'
echo end
} 2>&1 | sed 's/^/>/'
exec sleep 1000
"#;

/// A tree with the examples, where a container keeps its data, and this image made fit for them.
fn place(image: &Path) -> Tree {
    let tree = Tree::new();
    let data = tree.dir("shop");
    std::fs::set_permissions(&data, PermissionsExt::from_mode(0o777)).unwrap();
    std::fs::write(data.join("serve"), LOOK).unwrap();
    PLACES.iter().for_each(|name| std::fs::create_dir_all(image.join(name)).unwrap());
    std::fs::write(image.join("secret/file"), "hidden\n").unwrap();
    std::fs::write(image.join("etc/hosts"), "of the image\n").unwrap();
    tree
}

fn busybox(image: &Path) {
    let bin = image.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    common::copy_program("/bin/busybox", bin.join("busybox"));
    APPLETS.iter().for_each(|name| symlink("busybox", bin.join(name)).unwrap());
}

/// Starts this example on this image, and returns all that it said.
fn run(tree: Tree, image: &Path, example: &str) -> (Emperor, Vec<String>) {
    let text = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/containers").join(example));
    std::fs::write(tree.vassals().join(example), text.unwrap()).unwrap();
    let (image, data) =
        (format!("x-image={}", image.display()), format!("x-data={}/shop", tree.path("").display()));
    let options =
        ["--emperor-use-clone", "fs,net,ipc,pid,uts", "--vassal-set", &image, "--vassal-set", &data];
    let emperor = Start::in_tree(tree).options(&options).start();
    emperor.wait_for_line(|line| line == ">end");
    let said = emperor.lines.all();
    let said = said.iter().filter_map(|line| line.strip_prefix('>').map(str::to_owned)).collect();
    (emperor, said)
}

/// Where something is mounted, and with which flags.
fn mounts(said: &[String]) -> Vec<(String, BTreeSet<String>)> {
    let mounts = said.iter().filter_map(|line| line.strip_prefix("mount "));
    mounts
        .map(|line| line.split(' ').collect::<Vec<_>>())
        .map(|words| (words[4].to_owned(), words[5].split(',').map(str::to_owned).collect()))
        .collect()
}

fn starting<'a>(said: &'a [String], word: &str) -> BTreeSet<&'a str> {
    said.iter().filter_map(|line| line.strip_prefix(word)).collect()
}

fn assert_contained(said: &[String], example: &str) {
    let mounts = mounts(said);
    let own = ["/proc", "/dev", "/tmp", "/run", "/data", "/etc/hosts", "/secret"];
    let is_own = |place: &str| {
        own.iter()
            .any(|own| place == *own || place.strip_prefix(own).is_some_and(|rest| rest.starts_with('/')))
    };
    for (place, flags) in &mounts {
        assert!(place == "/" || is_own(place), "{example}: {place} is in\n{said:#?}");
        assert!(flags.contains("nosuid"), "{example}: {place} {flags:?}");
        assert!(flags.contains("nodev") || place.starts_with("/dev"), "{example}: {place} {flags:?}");
    }
    let of = |place: &str| {
        mounts
            .iter()
            .rev()
            .find(|(at, _)| at == place)
            .unwrap_or_else(|| panic!("{example}: no {place}\n{said:#?}"))
    };
    for place in own {
        of(place);
    }
    assert!(of("/").1.contains("ro") && of("/data").1.contains("noexec"), "{example}: {said:#?}");
    assert_eq!(starting(said, "wrote "), BTreeSet::new(), "{example}");
    let made = ["/tmp/mine", "/run/mine", "/data/kept", "/dev/shm/mine"];
    assert_eq!(starting(said, "made "), made.into(), "{example}: {said:#?}");
    let seen = starting(said, "sees ");
    for device in ["null", "zero", "full", "random", "urandom", "tty", "pts", "ptmx", "shm"] {
        assert!(seen.contains(format!("/dev/{device}").as_str()), "{example}: {seen:?}");
    }
    let foreign = ["/dev/kmsg", "/dev/mem", "/dev/fuse", "/dev/net", "/dev/console", "/dev/vda"];
    assert!(foreign.iter().all(|device| !seen.contains(device)), "{example}: {seen:?}");
    for line in ["ids 61001 61001 61001 host shop", "NoNewPrivs:\t1"] {
        assert!(said.iter().any(|one| one.starts_with(line)), "{example}: {line}: {said:#?}");
    }
    assert!(said.iter().any(|line| line.contains("127.0.0.1") && line.contains("localhost")), "{said:#?}");
    assert!(!said.iter().any(|line| line.contains("hidden") || line == "of the image"), "{said:#?}");
}

/// What shows that hooks of the first phases, of the last ones and of the program's life have been done.
fn assert_hooks(emperor: &Emperor) {
    for told in ["building the container of shop", "the container of shop is built"] {
        assert!(emperor.lines.has(|line| line.contains(told)), "{told}: {:#?}", emperor.lines.all());
    }
    let master = emperor.vassal("by-hooks.ini");
    let program = master.child_named("sleep");
    assert!(program.environment().contains(&"CONTAINER=shop".to_owned()), "{:?}", program.environment());
    let run = format!("/proc/{}/root/run/shop", program.pid);
    let read = |name: &str| std::fs::read_to_string(format!("{run}/{name}")).ok();
    eventually("the phases after the program", || (read("state")? == "runs").then_some(()));
    assert_eq!((read("release").as_deref(), read("pid")), (Some("version 1\n"), None));
    std::fs::write(emperor.tree.path("shop/reopen"), "").unwrap();
    assert_eq!(emperor.tree.text("shop/log"), "reopened\n");
}

fn both_are_containers(image: &Path) {
    for example in EXAMPLES {
        let tree = place(image);
        let (emperor, said) = run(tree, image, example);
        assert_contained(&said, example);
        if example == "by-hooks.ini" {
            assert_hooks(&emperor);
        }
        emperor.stop();
        let left = std::fs::read_dir(image.join("tmp")).unwrap().count();
        assert_eq!(
            (left, std::fs::read(image.join("etc/hosts")).unwrap().as_slice()),
            (0, &b"of the image\n"[..])
        );
    }
}

/// Rows M1, M8, M9 and M10.
#[test]
fn by_hooks_and_declared_it_is_the_same_container_of_busybox() {
    let images = Tree::new();
    let image = images.dir("image");
    busybox(&image);
    both_are_containers(&image);
}

/// Rows M1, M8, M9 and M10.
#[test]
fn by_hooks_and_declared_it_is_the_same_container_of_debian() {
    let images = Tree::new();
    let image: PathBuf = images.path("image");
    let made = Command::new("mmdebstrap")
        .args(["--quiet", "--variant=extract", "--include=dash,coreutils,sed,grep,hostname,base-passwd"])
        .args(["bookworm"])
        .arg(&image)
        .output();
    match made {
        Ok(made) if made.status.success() => both_are_containers(&image),
        Ok(made) => println!("skipped: mmdebstrap: {}", String::from_utf8_lossy(&made.stderr)),
        Err(error) => println!("skipped: mmdebstrap: {error}"),
    }
}
