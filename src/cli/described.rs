//! The files that a description in JSON names, whatever it describes: they are inputs too.

use std::fmt;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::inputs;

/// A description and all files that it names; where it cannot be read, that is for
/// [`inputs::read_json`] to say.
pub(super) fn files(path: &Path) -> Vec<PathBuf> {
    let text = inputs::read_text(path, "").unwrap_or_default();
    let mut names = Vec::new();
    Names(&mut names).deserialize(&mut serde_json::Deserializer::from_str(&text)).ok();
    let folder = path.parent().unwrap_or(Path::new(""));
    let named = names.into_iter().map(|name| folder.join(name)).filter(|file| file.is_file());
    std::iter::once(path.to_owned()).chain(named).collect()
}

/// Collects all strings but the names of fields, and keeps nothing else: lists of numbers can be
/// long.
struct Names<'a>(&'a mut Vec<String>);

impl<'de> DeserializeSeed<'de> for Names<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, value: D) -> Result<(), D::Error> {
        value.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Names<'_> {
    type Value = ();

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("anything")
    }

    fn visit_str<E>(self, text: &str) -> Result<(), E> {
        self.0.push(text.to_owned());
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut values: A) -> Result<(), A::Error> {
        while values.next_element_seed(Names(&mut *self.0))?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut fields: A) -> Result<(), A::Error> {
        while fields.next_key::<IgnoredAny>()?.is_some() {
            fields.next_value_seed(Names(&mut *self.0))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_at_any_depth_and_others_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        let text = r#"{"nodes": [{"image": "a.npy", "law": "fixed"}, {"weights": [0.5, -1, 2, null]}],
                       "edges": {"deep": [[true, "b.npy"]]}, "c.npy": "absent.npy"}"#;
        std::fs::write(path("spec.json"), text).unwrap();
        for name in ["a.npy", "b.npy", "c.npy"] {
            std::fs::write(path(name), "").unwrap();
        }
        assert_eq!(files(&path("spec.json")), ["spec.json", "a.npy", "b.npy"].map(path));
        assert_eq!(files(&path("absent.json")), [path("absent.json")]);
        std::fs::write(path("broken.json"), r#"{"a": "a.npy", "#).unwrap();
        assert_eq!(files(&path("broken.json")), ["broken.json", "a.npy"].map(path));
    }
}
