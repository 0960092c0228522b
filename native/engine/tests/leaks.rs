//! Joins and leaves leave nothing behind. Alone in its file: it measures the whole process.
#![cfg(target_os = "linux")]

mod support;

use core_media::frame::Kind;
use support::*;

#[test]
fn three_hundred_joins_and_leaves_leave_nothing_behind() {
    drop(start(1)); // what stays for the process is made with the first engine
    let empty = footprint();
    let engine = start(2);
    let mut programme = Programme::new(&engine, "cam");
    let mut together = |rounds: usize| {
        for _ in 0..rounds {
            programme.picture(true, 20_000);
            let viewers: Vec<Viewer> = (0..10).map(|_| Viewer::join(&engine, "cam")).collect();
            for (index, viewer) in viewers.into_iter().enumerate() {
                viewer.wait_for_last(&programme);
                assert!(!viewer.received(Kind::Video).is_empty());
                match index % 2 {
                    0 => leave(&engine, viewer),
                    _ => {
                        let id = viewer.id.clone();
                        drop(viewer);
                        engine.remove_session(&id);
                    }
                }
            }
            // What is kept of the stream is bounded and not what is measured.
            programme.pictures.clear();
        }
    };
    together(15);
    eventually("everyone has left", || engine.viewers().is_empty());
    let (before, memory_before) = (footprint(), memory());
    together(30);
    eventually("threads and descriptors are back", || footprint() == before);
    let growth = memory().saturating_sub(memory_before);
    // A session needs about 150 KiB: 300 that stay would be 45 MiB.
    assert!(growth < 8_192, "{growth} KiB more after 300 joins and leaves");
    engine.close();
    drop(engine);
    eventually("the engine's own are gone", || footprint() == empty);
}
