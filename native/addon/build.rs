//! Links the module: what `rtc` wraps, and nothing visible but the module's entry.

fn main() {
    napi_build::setup();
    println!("cargo::rerun-if-changed=build.rs");
    for argument in std::env::var("DEP_FETCH_WHEP_ENGINE_LINK_ARGS").unwrap_or_default().split_whitespace() {
        println!("cargo::rustc-cdylib-link-arg={argument}");
    }
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        // Node exports its own OpenSSL: our code calls ours. rustc's version script hides what is not the module's.
        println!("cargo::rustc-cdylib-link-arg=-Wl,-Bsymbolic");
    }
}
