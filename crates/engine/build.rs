//! Failpoints are in every build that is not a release for users: the `dist` profile leaves them
//! out. Cargo tells a build script the profile only by its folder, `target/<profile>/build/…`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rustc-check-cfg=cfg(failpoints)");
    let out_dir = std::env::var("OUT_DIR").unwrap_or_default();
    let is_dist = std::path::Path::new(&out_dir).iter().any(|part| part == "dist");
    if !is_dist {
        println!("cargo::rustc-cfg=failpoints");
    }
}
