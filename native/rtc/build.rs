//! Routes some C functions, as libdatachannel calls them, through this crate, on Linux.

/// With the file in src/ that replaces them.
const WRAPPED: [(&str, &[&str]); 5] = [
    ("gather.rs", &["sendto", "setsockopt"]),
    ("claims.rs", &["srtp_add_stream", "srtp_protect", "srtp_protect_rtcp", "srtp_dealloc"]),
    ("rtcp.rs", &["srtp_unprotect_rtcp"]),
    ("receive.rs", &["recvfrom"]),
    ("senders.rs", &["srtp_unprotect"]),
];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    let names = WRAPPED.iter().filter(|_| linux).flat_map(|(_, names)| *names);
    let arguments: Vec<String> = names.map(|name| format!("-Wl,--wrap={name}")).collect();
    for argument in &arguments {
        println!("cargo::rustc-link-arg={argument}"); // this crate's own tests
    }
    // A crate that links the final library reads DEP_FETCH_WHEP_RTC_LINK_ARGS in its build script.
    println!("cargo::metadata=link_args={}", arguments.join(" "));
}
