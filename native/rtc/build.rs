//! Routes some C functions, as libdatachannel calls them, through this crate, on Linux.

/// Replaced by src/gather.rs (the first two), src/goodbye.rs, src/rtcp.rs and src/tap.rs.
const WRAPPED: [&str; 5] = ["sendto", "setsockopt", "SSL_free", "srtp_unprotect_rtcp", "recvfrom"];

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    let linux = std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux");
    let arguments: Vec<String> = WRAPPED.iter().filter(|_| linux).map(|name| format!("-Wl,--wrap={name}")).collect();
    for argument in &arguments {
        println!("cargo::rustc-link-arg={argument}"); // this crate's own tests
    }
    // A crate that links the final library reads DEP_FETCH_WHEP_RTC_LINK_ARGS in its build script.
    println!("cargo::metadata=link_args={}", arguments.join(" "));
}
