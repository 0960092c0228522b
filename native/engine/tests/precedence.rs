//! Threads that carry media go before the others, as far as the system lets them. Alone in its file: it looks at the whole process.
#![cfg(target_os = "linux")]

mod support;

use std::fs;

use support::*;

/// Name and nice value of each thread; fields 2 and 19 of proc(5)'s stat.
fn threads() -> Vec<(String, i32)> {
    let stat = |task: fs::DirEntry| fs::read_to_string(task.path().join("stat")).ok();
    let tasks = fs::read_dir("/proc/self/task").expect("Linux has it").flatten().filter_map(stat);
    let parsed = tasks.filter_map(|stat| {
        let (name, rest) = stat.split_once('(')?.1.rsplit_once(')')?;
        Some((name.to_owned(), rest.split_ascii_whitespace().nth(16)?.parse().ok()?))
    });
    parsed.collect()
}

fn nice(prefix: &str) -> Vec<i32> {
    threads().into_iter().filter(|(name, _)| name.starts_with(prefix)).map(|(_, nice)| nice).collect()
}

#[test]
fn shards_and_ingest_go_before_the_other_threads() {
    let _engine = start(2);
    let ask = || {
        rtc::take_precedence();
        nice("precedent")
    };
    let granted =
        std::thread::Builder::new().name("precedent".into()).spawn(ask).expect("a thread").join().expect("one");
    assert_eq!(granted.len(), 1);
    eventually("they have asked", || {
        nice("whep-shard-") == [granted[0], granted[0]] && nice("whep-ingest") == [granted[0]]
    });
    let others = nice("shards_and_inge");
    assert!(others.len() == 1 && granted[0] <= others[0], "{:?}", threads());
}
