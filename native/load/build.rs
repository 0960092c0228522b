//! Passes on the linker arguments that `rtc` needs in whatever is linked with it.

fn main() {
    for argument in std::env::var("DEP_FETCH_WHEP_RTC_LINK_ARGS").unwrap_or_default().split_whitespace() {
        println!("cargo::rustc-link-arg={argument}");
    }
}
