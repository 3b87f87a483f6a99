//! Every variant of every shader is valid WGSL, and every kernel is a pair of files.

use std::collections::BTreeSet;
use std::path::Path;

#[test]
fn every_variant_of_every_shader_validates() {
    let shaders = gaspard::kernels::expanded_shaders();
    assert!(shaders.len() > 20, "the list of shaders is not complete");
    for (name, constants, source) in shaders {
        let module = naga::front::wgsl::parse_str(&source).unwrap_or_else(|error| {
            panic!("{name} {constants}\n{}", error.emit_to_string(&source))
        });
        naga::valid::Validator::new(
            naga::valid::ValidationFlags::all(),
            naga::valid::Capabilities::IMMEDIATES,
        )
        .validate(&module)
        .unwrap_or_else(|error| panic!("{name} {constants}\n{}", error.emit_to_string(&source)));
        assert!(!source.contains('#') && !source.contains('{') || !source.contains("#repeat"));
    }
}

#[test]
fn every_shader_has_a_twin_and_every_twin_a_shader() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shaders = stems(&root.join("shaders"), "wgsl", &["common"]);
    let twins = stems(&root.join("src/kernels"), "rs", &[]);
    assert_eq!(shaders, twins);
    let listed: BTreeSet<String> =
        gaspard::kernels::expanded_shaders().into_iter().map(|(name, _, _)| name).collect();
    assert_eq!(shaders, listed);
}

/// `folder/file` of every shader, or of every file of Rust that has one, one folder down.
fn stems(root: &Path, ending: &str, without: &[&str]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for folder in std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path()) {
        let name = folder.file_name().unwrap().to_str().unwrap().to_owned();
        if !folder.is_dir() || without.contains(&name.as_str()) {
            continue;
        }
        for file in std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path()) {
            if file.extension().is_none_or(|found| found != ending) {
                continue;
            }
            let source = std::fs::read_to_string(&file).unwrap();
            if ending == "wgsl" || source.contains("static SHADER: Shader") {
                let stem = file.file_stem().unwrap().to_str().unwrap();
                found.insert(format!("{name}/{stem}"));
            }
        }
    }
    found
}
