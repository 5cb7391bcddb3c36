//! Pure. Completion of the names of vassals, asked from the running Emperor. A name may be what a tenant likes it to be, and a shell that
//! completes it is often root's: none is ever a word of the shell's before it is quoted.

use clap::ValueHint;

use super::verb::VerbSpec;

/// What stands for names of vassals until a shell has its own word: nothing else here is a host.
pub const HINT: ValueHint = ValueHint::Hostname;
/// What zsh calls that.
const ZSH_HINT: &str = "_hosts";

/// `%q` quotes; `compgen -W` would run what is in a name.
const BASH: &str = r#"
_liege_names() {
    local cur=${COMP_WORDS[COMP_CWORD]} address= name
    case ${COMP_WORDS[1]} in
    VERBS)
        if [[ $cur == [-/.@]* ]]; then
            _liege "$@"
            return
        fi
        if (( COMP_CWORD > 2 )) && [[ ${COMP_WORDS[2]} == [/.@]* ]]; then
            address=${COMP_WORDS[2]}
        fi
        COMPREPLY=()
        while IFS= read -r name; do
            if [[ $name == "$cur"* ]]; then
                COMPREPLY+=("$(printf %q "$name")")
            fi
        done < <(liege names ${address:+"$address"} 2>/dev/null)
        ;;
    *) _liege "$@" ;;
    esac
}
complete -F _liege_names -o bashdefault -o default liege
"#;

const ZSH: &str = r#"
_liege_names() {
    local -a names
    names=("${(@f)$(liege names 2>/dev/null)}")
    compadd -a names
    _files
}
"#;

/// The completions for a shell, with names of vassals.
pub fn completed(shell: clap_complete::Shell, text: String) -> String {
    let verbs = || VerbSpec::shown().filter(|spec| spec.names_vassals()).map(|spec| spec.name);
    match shell {
        clap_complete::Shell::Bash => text + &BASH.replace("VERBS", &verbs().collect::<Vec<_>>().join(" | ")),
        clap_complete::Shell::Zsh => {
            // The first line says what it is.
            let (first, rest) = text.split_once('\n').unwrap_or((&text, ""));
            format!("{first}\n{ZSH}{}", rest.replace(ZSH_HINT, "_liege_names"))
        }
        clap_complete::Shell::Fish => {
            let line = |verb| {
                format!(
                    "complete -c liege -n \"__fish_liege_using_subcommand {verb}\" -f -a \"(liege names 2>/dev/null)\"\n"
                )
            };
            text + &verbs().map(line).collect::<String>()
        }
        _ => text,
    }
}

/// Whether a shell can read it as one line.
pub fn is_one_line(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(char::is_control)
}
