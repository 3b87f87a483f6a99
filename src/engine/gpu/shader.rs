//! Shaders: their sources, embedded in the binary, and the small preprocessor they go through.
//!
//! Three directives, each alone on its line:
//! * `#import name` pastes `shaders/common/name.wgsl`, once;
//! * `#if NAME` ... `#else` ... `#end` keeps one part: the first if the constant is not zero;
//! * `#repeat k NAME` ... `#end` pastes its body with `$k` replaced by 0, 1, ... NAME-1, which
//!   keeps small per-thread arrays in registers; NAME may be a number.
//!
//! `{NAME}` anywhere stands for the value of a constant.

use std::collections::HashSet;

/// How a shader uses a binding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
}

/// A compute shader with one entry point, `main`.
#[derive(Debug)]
pub(crate) struct Shader {
    /// Path below `shaders/`, without the ending.
    pub name: &'static str,
    /// The text as written.
    pub source: &'static str,
    /// Bindings 0, 1, ... of group 0.
    pub bindings: &'static [Access],
    /// Bytes of the `var<immediate>` block.
    pub immediate_bytes: u32,
    /// Sets of constants that the kernel is launched with: what the tests compile.
    pub variants: &'static [&'static [(&'static str, u32)]],
}

/// Embeds `shaders/NAME.wgsl`.
macro_rules! shader {
    ($name:literal, $params:ty, [$($access:ident),*], $variants:expr) => {
        $crate::engine::Shader {
            name: $name,
            source: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/shaders/", $name, ".wgsl")),
            bindings: &[$($crate::engine::Access::$access),*],
            immediate_bytes: size_of::<$params>() as u32,
            variants: $variants,
        }
    };
}
pub(crate) use shader;

macro_rules! common {
    ($($name:literal),*) => {
        &[$(($name, include_str!(concat!(
            env!("CARGO_MANIFEST_DIR"), "/shaders/common/", $name, ".wgsl"
        )))),*]
    };
}

/// The includes: no entry points; most have only functions of values and constants, the others say
/// which parameters and bindings they take for granted.
const COMMON: &[(&str, &str)] = common![
    "centred",
    "cosine",
    "cost",
    "fourier",
    "index",
    "lags",
    "law",
    "logsumexp",
    "metric",
    "network/activation",
    "network/constraint",
    "network/optimiser",
    "network/pass",
    "network/plan",
    "paraboloid",
    "points",
    "reduce",
    "rows",
    "spacetime",
    "spectrum",
    "staggered",
    "tile",
    "workgroup_product"
];

/// The text that is compiled: imports pasted, conditions decided, repetitions unrolled.
///
/// # Panics
/// On a directive that does not make sense: a bug in the shader, found by the test that expands
/// every variant of every shader.
pub(crate) fn expand(source: &str, constants: &[(&str, u32)]) -> String {
    let mut imported = HashSet::new();
    let pasted = paste_imports(source, &mut imported);
    let lines: Vec<&str> = pasted.lines().collect();
    let mut expanded = String::new();
    expand_block(&lines, constants, &mut expanded);
    for (name, value) in constants {
        expanded = expanded.replace(&format!("{{{name}}}"), &value.to_string());
    }
    expanded
}

fn paste_imports(source: &str, imported: &mut HashSet<String>) -> String {
    let mut pasted = String::new();
    for line in source.lines() {
        match line.trim().strip_prefix("#import ") {
            None => {
                pasted.push_str(line);
                pasted.push('\n');
            }
            Some(name) if imported.insert(name.to_owned()) => {
                let (_, text) = COMMON
                    .iter()
                    .find(|(known, _)| *known == name)
                    .unwrap_or_else(|| panic!("no include named `{name}`"));
                pasted.push_str(&paste_imports(text, imported));
            }
            Some(_) => {}
        }
    }
    pasted
}

fn expand_block(lines: &[&str], constants: &[(&str, u32)], expanded: &mut String) {
    let value = |name: &str| {
        if let Ok(number) = name.parse() {
            return number;
        }
        constants
            .iter()
            .find(|(known, _)| *known == name)
            .map_or_else(|| panic!("no constant named `{name}`"), |&(_, value)| value)
    };
    let mut position = 0;
    while position < lines.len() {
        let words: Vec<&str> = lines[position].split_whitespace().collect();
        match words.as_slice() {
            ["#if", name] => {
                let (otherwise, end) = block_bounds(lines, position);
                let kept = if value(name) != 0 {
                    position + 1..otherwise.unwrap_or(end)
                } else {
                    otherwise.map_or(end..end, |line| line + 1..end)
                };
                expand_block(&lines[kept], constants, expanded);
                position = end + 1;
            }
            ["#repeat", index, name] => {
                let (_, end) = block_bounds(lines, position);
                let mut body = String::new();
                expand_block(&lines[position + 1..end], constants, &mut body);
                for repetition in 0..value(name) {
                    expanded.push_str(&body.replace(&format!("${index}"), &repetition.to_string()));
                }
                position = end + 1;
            }
            _ => {
                expanded.push_str(lines[position]);
                expanded.push('\n');
                position += 1;
            }
        }
    }
}

/// The lines of the `#else`, if any, and of the `#end` that belong to the directive at `start`.
fn block_bounds(lines: &[&str], start: usize) -> (Option<usize>, usize) {
    let mut depth = 0;
    let mut otherwise = None;
    for (offset, line) in lines[start..].iter().enumerate() {
        match line.split_whitespace().next() {
            Some("#if" | "#repeat") => depth += 1,
            Some("#else") if depth == 1 => otherwise = Some(start + offset),
            Some("#end") => {
                depth -= 1;
                if depth == 0 {
                    return (otherwise, start + offset);
                }
            }
            _ => {}
        }
    }
    panic!("`{}` has no #end", lines[start].trim());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn conditions_nest_and_choose() {
        let source = "#if A\na\n#if B\nb\n#else\nc\n#end\n#else\nd\n#end\ne";
        assert_eq!(expand(source, &[("A", 1), ("B", 0)]), "a\nc\ne\n");
        assert_eq!(expand(source, &[("A", 0), ("B", 1)]), "d\ne\n");
    }

    #[test]
    fn repetitions_nest_and_number() {
        let source = "#repeat i N\n#repeat k M\nx$i$k\n#end\n#end\n{N}";
        assert_eq!(expand(source, &[("N", 2), ("M", 2)]), "x00\nx01\nx10\nx11\n2\n");
    }

    #[test]
    fn imports_are_pasted_once() {
        let text = expand("#import logsumexp\n#import logsumexp\n", &[]);
        assert_eq!(text.matches("fn join").count(), 1);
    }
}
