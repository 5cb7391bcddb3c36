//! Pure. Magic variables: `%n`, `%d`, `%h` … in keys and values of a file.

use super::probe::Probes;
use super::source::{Host, Origin};

/// What `%x` stands for in one file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FileVariables {
    /// The file as it was named, section included: `%o`.
    argument: String,
    /// Section, empty when none was named: `%x`.
    section: String,
    path: Option<Path>,
    /// Name of a config that came without a path: what a vassal is called by its Emperor, or a URL's last part.
    name: Option<String>,
    inode: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Path {
    whole: String,
    /// Bytes of the directory, with its slash.
    directory: usize,
}

impl FileVariables {
    /// The variables of a file that was named `argument`.
    pub fn new(argument: &str, section: Option<&str>, origin: &Origin) -> Self {
        let path = origin.path.clone().map(Path::new);
        let section = section.unwrap_or_default().to_owned();
        let suffix = format!(":{section}");
        let plain = argument.strip_suffix(&suffix).filter(|_| !section.is_empty()).unwrap_or(argument);
        let name = name_of_url(plain).map(str::to_owned);
        Self { argument: argument.to_owned(), section, path, name, inode: origin.inode }
    }

    /// Value of a letter or digit; `None` when it stands for nothing here. A config that has a name and no path
    /// counts as a file of that name in the directory in which we were started.
    fn value(&self, letter: char, cwd: &str) -> Option<String> {
        match letter {
            'o' => return Some(self.argument.clone()),
            'x' => return Some(self.section.clone()),
            'i' => return self.inode.map(|inode| inode.to_string()),
            _ => {}
        }
        if let Some(path) = &self.path {
            return path.value(letter);
        }
        let name = self.name.as_ref()?;
        let whole = if name.starts_with('/') {
            name.clone()
        } else {
            format!("{}/{name}", cwd.trim_end_matches('/'))
        };
        Path::new(whole).value(letter)
    }
}

/// What a config from a database or a server is called; a program, a descriptor or standard input has no name.
fn name_of_url(argument: &str) -> Option<&str> {
    let name = match argument.split_once("://")? {
        ("emperor", name) => name,
        ("http" | "https", place) => place.split_once('/')?.1.split(['?', '#']).next()?.rsplit('/').next()?,
        _ => return None,
    };
    Some(name).filter(|name| !name.is_empty())
}

impl Path {
    fn new(whole: String) -> Self {
        Self { directory: whole.rfind('/').map_or(0, |at| at + 1), whole }
    }

    fn value(&self, letter: char) -> Option<String> {
        let (directory, name) = self.whole.split_at(self.directory);
        let stem = name.rsplit_once('.');
        match letter {
            'p' => Some(self.whole.clone()),
            's' => Some(name.to_owned()),
            'd' => Some(directory.to_owned()),
            'c' => components(directory).last().map(str::to_owned),
            'e' => Some(stem.map_or("", |(_, extension)| extension).to_owned()),
            'n' => Some(stem.map_or(name, |(stem, _)| stem).to_owned()),
            'j' => Some(hash(&self.whole)),
            _ => letter
                .to_digit(10)
                .and_then(|index| components(directory).nth(index as usize))
                .map(str::to_owned),
        }
    }
}

/// Names of the directories, from the root down.
fn components(directory: &str) -> impl Iterator<Item = &str> {
    directory.split('/').filter(|part| !part.is_empty())
}

/// The 32-bit hash of Bernstein (exclusive-or form, signed characters), lowest byte first in hexadecimal.
fn hash(text: &str) -> String {
    let step = |hash: u32, byte: u8| hash.wrapping_mul(33) ^ i32::from(byte.cast_signed()).cast_unsigned();
    format!("{:08X}", text.bytes().fold(5381, step).swap_bytes())
}

/// What magic variables are replaced by.
#[derive(Clone, Copy)]
pub struct Magic<'a> {
    /// Of the file itself.
    pub file: &'a FileVariables,
    /// Of the first file that was read, for the letters in upper case.
    pub first: Option<&'a FileVariables>,
    /// Of the host.
    pub host: &'a Host,
    /// Knows the names of user and group.
    pub names: &'a dyn Probes,
}

impl Magic<'_> {
    /// The text with its magic variables replaced; `%%` is a percent sign, `%[` an escape character.
    /// One that stands for nothing stays as it is, and so does `%(`.
    pub fn replace(&self, text: &str) -> String {
        let mut out = String::with_capacity(text.len());
        let mut chars = text.chars();
        while let Some(one) = chars.next() {
            if one != '%' {
                out.push(one);
                continue;
            }
            let Some(letter) = chars.next() else {
                out.push('%');
                break;
            };
            match self.value(letter) {
                Some(value) => out.push_str(&value),
                None => out.extend(['%', letter]),
            }
        }
        out
    }

    fn value(&self, letter: char) -> Option<String> {
        match letter {
            '%' => Some("%".to_owned()),
            '[' => Some("\u{1b}".to_owned()),
            'O' | 'P' | 'S' | 'D' | 'C' | 'E' | 'N' | 'X' | 'I' | 'J' => {
                self.first?.value(letter.to_ascii_lowercase(), &self.host.cwd)
            }
            'U' => Some(self.names.user().unwrap_or_else(|| self.host.user.clone())),
            'G' => Some(self.names.group().unwrap_or_else(|| self.host.group.clone())),
            _ => host_value(self.host, letter).or_else(|| self.file.value(letter, &self.host.cwd)),
        }
    }
}

fn host_value(host: &Host, letter: char) -> Option<String> {
    Some(match letter {
        'v' => host.cwd.clone(),
        'V' => host.version.clone(),
        'h' => host.hostname.clone(),
        'k' => host.processors.to_string(),
        't' => (host.start_us / 1_000_000).to_string(),
        'T' => host.start_us.to_string(),
        'u' => host.uid.to_string(),
        'g' => host.gid.to_string(),
        'b' => host.binary.clone(),
        _ => return None,
    })
}
