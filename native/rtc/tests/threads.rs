//! Which threads of the library run. Alone in its file: it looks at the whole process.
#![cfg(target_os = "linux")]

mod support;

use support::*;

/// Their names, of at most 15 bytes.
fn threads() -> Vec<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("Linux has it");
    let name = |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("comm")).ok();
    tasks.filter_map(|task| name(task.ok()?)).map(|name| name.trim_end().to_owned()).collect()
}

#[test]
fn nothing_runs_for_data_channels() {
    let server_port = port();
    let _pair = connect(&server_port);
    let threads = threads();
    assert!(threads.iter().any(|name| name == "juice mux"), "{threads:?}");
    assert!(!threads.iter().any(|name| name.starts_with("SCTP")), "{threads:?}");
}
