use jail::plan::{Filter, compile};
use std::io::{Read, Write};
use std::time::Instant;
fn main() {
    println!(
        "setid {} standard {} of_root {} after_root {}",
        Filter::setid_files().program.len(),
        Filter::standard().program.len(),
        Filter::of_root().program.len(),
        Filter::after_root().program.len()
    );
    let nothing = Filter {
        refused: "x",
        program: Filter::kept(
            "n",
            compile(&jail::plan::Rules {
                otherwise: jail::plan::Answer::ALLOW,
                calls: Default::default(),
                newer: jail::plan::Answer::ALLOW,
            })
            .unwrap(),
        )
        .program,
    };
    let sets: [(&str, Vec<Filter>); 6] = [
        ("none", vec![]),
        ("empty", vec![nothing]),
        ("setid", vec![Filter::setid_files()]),
        ("standard", vec![Filter::standard()]),
        ("of_root", vec![Filter::of_root()]),
        ("of_root+after", vec![Filter::of_root(), Filter::after_root()]),
    ];
    for round in 0..2 {
        for (name, filters) in &sets {
            let mut all = Vec::new();
            let mut calls = Vec::new();
            for _ in 0..400 {
                let (mut r, mut w) = std::io::pipe().unwrap();
                let f = filters.clone();
                let pid = jail::sys::fork(move || {
                    rustix::thread::set_no_new_privs(true).unwrap();
                    let t = Instant::now();
                    for one in &f {
                        jail::run::filter(one).unwrap();
                    }
                    let a = t.elapsed().as_nanos() as u64;
                    let t = Instant::now();
                    for _ in 0..2000 {
                        rustix::process::getppid();
                    }
                    let b = t.elapsed().as_nanos() as u64 / 2000;
                    w.write_all(&[a.to_ne_bytes(), b.to_ne_bytes()].concat()).unwrap();
                    0
                })
                .unwrap();
                let mut buf = [0u8; 16];
                r.read_exact(&mut buf).unwrap();
                rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::empty()).unwrap();
                all.push(u64::from_ne_bytes(buf[..8].try_into().unwrap()));
                calls.push(u64::from_ne_bytes(buf[8..].try_into().unwrap()));
            }
            all.sort();
            calls.sort();
            if round == 1 {
                println!(
                    "{name}: min {} p25 {} median {} ns; getppid median {} ns",
                    all[0], all[100], all[200], calls[200]
                );
            }
        }
    }
}
