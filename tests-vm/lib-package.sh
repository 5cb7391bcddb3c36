# The package on a machine with systemd: installed, looked at, and gone without a trace.
package=${LIB%/*}/liege.deb
provision=${LIB%/*}/packaging/provision.sh
vassals=/etc/liege/vassals
unit=liege.service
# How the command lines of its processes begin.
ours='^(/usr/bin/)?liege'
began=$(date +%s)

provisioned() {
    sh "$provision" "$package" >"$work/provision.log" 2>&1 || {
        cat "$work/provision.log"
        return 1
    }
}

journal() { # OPTION...: of the service, since this case began
    journalctl --quiet --no-pager --output=cat --unit=$unit --since="@$began" "$@"
}

journal_has() { # TEXT
    journal | grep -q -- "$1"
}

told() { # TEXT: waits for a line in the journal
    until_so journal_has "$1" || {
        echo "--- never told: $1"
        journal | tail -n 40
        return 1
    }
}

never_told() { # TEXT
    ! journal | grep -- "$1"
}

pid_in_status() { # VASSAL
    liege status | awk -v name="$1" '$1 == name { print $3 }'
}

in_state() { # VASSAL STATE
    liege status | awk -v name="$1" -v state="$2" '$1 == name && $2 == state { found = 1 } END { exit !found }'
}

runs() { # VASSAL
    until_so in_state "$1" running || {
        liege status
        journal | tail -n 20
        return 1
    }
}

governs() { # NUMBER
    until_so sh -c "systemctl show --property=StatusText $unit | grep -q 'governing $1 vassals'"
}

# Users that provision.sh has made are the administrator's; everything else was ours.
nothing_is_left() {
    left=$(find / -xdev \( -path /proc -o -path /payload -o -path /var/lib/dpkg -o -path /var/log -o -path /var/lib/cases -o -path /out \) -prune -o \
        -name '*liege*' -print | grep -v "^$work\|^/etc/hostname")
    run=$(find /run -name '*liege*' 2>/dev/null | grep -v "^/run/log\|^$work\|/run/udev")
    groups=$(tops)
    processes=$(pgrep -f "$ours")
    for one in "$left" "$run" "$groups" "$processes" "$(getent group liege)" "$(systemctl list-unit-files --no-legend 'liege*')" \
        "$(dpkg-query --show --showformat='${db:Status-Status}' liege 2>/dev/null)"; do
        [ -z "$one" ] || echo "--- left: $one" | grep -v not-installed
    done | {
        ! grep .
    }
}

tops() { # cgroups of the service
    find $top -name '*liege*'
}

# As an administrator who wants none of it any more.
purged() {
    for user in alice bob; do
        rm -f "$vassals/$user.ini"
    done
    dpkg --purge liege >"$work/purge.log" 2>&1 || {
        cat "$work/purge.log"
        return 1
    }
    for user in alice bob; do userdel --remove $user 2>/dev/null; done
    true
}
