//! Pure. What a config says to the Emperor of its vassal: the section `[emperor]` of an ini file (`emperor-collect-attr`).

use super::format::ini;

/// What the names of files end with in which there are attributes, as in uWSGI.
pub const SUFFIX: &str = ".ini";
/// Their section.
const SECTION: &str = "emperor";
/// Most attributes of one vassal.
const ATTRIBUTES_MAX: usize = 64;
/// Bytes of all names and values.
const BYTES_MAX: usize = 4096;

/// Those of these names, in order; a name may be there more than once.
///
/// # Errors
/// What is wrong with the file: a sentence.
pub fn collect(text: &[u8], names: &[String]) -> Result<Vec<(String, String)>, String> {
    let text = std::str::from_utf8(text).map_err(|_| "cannot read it: it is no UTF-8".to_owned())?;
    let section = ini::parse(&"its config".into(), text, SECTION);
    if let Some(error) = section.errors.first() {
        return Err(format!("cannot read it: {error}"));
    }
    let wanted = section.lines.into_iter().filter(|line| names.contains(&line.key));
    let list: Vec<(String, String)> = wanted.map(|line| (line.key, line.value)).collect();
    let bytes: usize = list.iter().map(|(key, value)| key.len() + value.len()).sum();
    if list.len() > ATTRIBUTES_MAX || bytes > BYTES_MAX {
        return Err(format!(
            "found more than {ATTRIBUTES_MAX} attributes, or more than {BYTES_MAX} bytes of them"
        ));
    }
    Ok(list)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Result<Vec<(String, String)>, String> {
        collect(text.as_bytes(), &["a".into(), "b".into()])
    }

    #[test]
    fn asked_for_keys_of_the_emperors_section_are_attributes() {
        let list =
            of("a = 0\n[emperor]\nb = 1\n; a = 2\na= x = y \nc = 3\nb\n[uwsgi]\na = 4\n[emperor]\nb = 5\n");
        let pairs = [("b", "1"), ("a", "x = y"), ("b", ""), ("b", "5")];
        assert_eq!(list, Ok(pairs.map(|(key, value)| (key.into(), value.into())).into()));
        assert_eq!((of("[uwsgi]\na = 1\n"), of("")), (Ok(Vec::new()), Ok(Vec::new())));
    }

    #[test]
    fn nobody_has_thousands_of_them() {
        assert!(of(&format!("[emperor]\n{}", "a = 1\n".repeat(ATTRIBUTES_MAX))).is_ok());
        assert!(of(&format!("[emperor]\n{}", "a = 1\n".repeat(ATTRIBUTES_MAX + 1))).is_err());
        assert!(of(&format!("[emperor]\na = {}\n", "x".repeat(BYTES_MAX))).is_err());
        assert!(of("[emperor\na = 1\n").is_err());
        assert!(collect(b"[emperor]\na = \xff\n", &["a".into()]).is_err());
    }
}
