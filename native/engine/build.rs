//! Passes on the linker arguments that `rtc` needs in whatever is linked with it.

fn main() {
    for argument in std::env::var("DEP_FETCH_WHEP_RTC_LINK_ARGS").unwrap_or_default().split_whitespace() {
        println!("cargo::rustc-link-arg={argument}");
    }
    // A crate that links the final library reads DEP_FETCH_WHEP_ENGINE_LINK_ARGS in its build script.
    println!("cargo::metadata=link_args={}", std::env::var("DEP_FETCH_WHEP_RTC_LINK_ARGS").unwrap_or_default());
}
