# What every case begins with: `. "$LIB"`. It gives a directory $work, a user `alice` (61001) and a user `bob` (61002), and these
# words. A case ends with `finish`: its status is 0 when every `ok` was.
set -u
top=/sys/fs/cgroup
# Not on a file system that the tenants could fill; above a config nobody but root may write.
work=$(mktemp -d /run/case.XXXXXX)
chmod 755 "$work"
failed=0
alice=61001
bob=61002

ok() { # NAME COMMAND...
    name=$1
    shift
    if "$@"; then echo "ok $name"; else
        echo "FAILED $name"
        failed=$((failed + 1))
    fi
}

skip() { # REASON
    echo "$1"
    exit 77
}

until_so() { # COMMAND...: waits until it succeeds; a machine with other work gives us little time
    deadline=$(($(date +%s) + 100))
    until "$@" 2>/dev/null; do
        [ "$(date +%s)" -gt $deadline ] && return 1
        sleep 0.1
    done
}

says() { # FILE TEXT: waits for a line
    until_so grep -q -- "$2" "$1" || {
        echo "--- never said: $2"
        cat "$1"
        return 1
    }
}

never_said() { # FILE TEXT
    ! grep -- "$2" "$1"
}

holds() { # FILE TEXT
    until_so is "$1" "$2" || {
        echo "--- $1: $(cat "$1" 2>&1), wanted $2"
        return 1
    }
}

is() { # FILE TEXT
    [ "$(cat "$1" 2>/dev/null)" = "$2" ]
}

gone() { # PID
    until_so test ! -e "/proc/$1"
}

# A config, renamed into place so that it is never seen half written.
config() { # OWNER DIRECTORY NAME LINE...
    mkdir -p "$work/$2"
    file=$work/$2/$3
    owner=$1
    shift 3
    echo "[uwsgi]" >"$file.new"
    for line; do echo "$line" >>"$file.new"; done
    chown "$owner:$owner" "$file.new"
    mv "$file.new" "$file"
}

vassal() { # DIRECTORY NAME LINE...
    config $alice "$@"
}

# Starts an Emperor in a cgroup; its pid is in $emperor.
# What vassals write is in the log as they write it, unless a case says otherwise.
start() { # CGROUP LOG ARGUMENTS...
    cgroup=$1
    log=$2
    shift 2
    sh -c 'echo $$ >"$0/cgroup.procs" && exec "$@"' "$cgroup" "$LIEGE" --vassals-log inherit "$@" >"$log" 2>&1 &
    emperor=$!
}

stop() {
    kill -TERM $emperor
    gone $emperor
}

pid_of() { # LOG VASSAL: of its last life
    sed -n "s/.*vassal=$2 pid=\([0-9]*\) msg=\"started.*/\1/p" "$1" | tail -n 1
}

named() { # PATTERN: the pids of those whose words, one after the other without a gap, are like this
    for one in /proc/[0-9]*; do
        line=
        { read -r line <"$one/cmdline"; } 2>/dev/null
        # shellcheck disable=SC2254
        case $line in $1) echo "${one#/proc/}" ;; esac
    done
}

leaf() { # LOG VASSAL: the cgroup of a vassal
    echo "$top$(sed -n s/^0:://p "/proc/$(pid_of "$1" "$2")/cgroup")"
}

lives() { # LOG VASSAL
    kill -0 "$(pid_of "$1" "$2")"
}

status_says() { # ADDRESS TEXT: waits for a line of `liege status`
    until_so eval "'$LIEGE' status '$1' 2>&1 | grep -q -- '$2'" || {
        echo "--- never in the status: $2"
        "$LIEGE" status "$1" 2>&1
        return 1
    }
}

finish() {
    rm -rf "$work"
    echo "failed: $failed"
    exit $((failed > 0))
}
