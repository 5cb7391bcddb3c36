#!/bin/sh
# Makes a Debian or Ubuntu machine a host of two tenants: installs the package, adds users, gives each a program and a config.
# Run as root: provision.sh [PACKAGE.deb]. It can be run again. The machine for trying out (Vagrantfile) and the one of the tests
# (tests-vm/) are made by it.
set -eu
package=${1:-$(ls -t "$(dirname "$0")"/../target/dist/liege_*.deb | head -n 1)}

install_package() {
    export DEBIAN_FRONTEND=noninteractive
    # What it depends on is there on every machine with systemd; where it is not, apt fetches it.
    dpkg --install --force-confold "$package" || apt-get --yes --fix-broken install
}

# A tenant's directory is his alone. Who wants to write there for him does it as him: whatever a tenant leaves in his own
# directory (a link to /etc/passwd) can lead nobody else astray.
tenant() { # NAME GREETING
    id "$1" >/dev/null 2>&1 || useradd --create-home --shell /usr/sbin/nologin "$1"
    chmod 750 "/home/$1"
    setpriv --reuid "$1" --regid "$1" --init-groups --reset-env sh -euc '
        umask 022
        rm -f "$HOME/serve.new"
        cat >"$HOME/serve.new"
        chmod 755 "$HOME/serve.new"
        mv -f "$HOME/serve.new" "$HOME/serve"' <<PROGRAM
#!/bin/sh
# Says hello every minute, from where it sees itself.
while :; do
    echo "$2 I am \$(id -un), process \$\$ of \$(hostname), and see \$(ls -d /proc/[0-9]* | wc -l) processes"
    sleep 60
done
PROGRAM
    config "$1"
}

# Whole or not at all, in a directory where only root writes; its owner is who it runs as.
config() { # NAME
    new=/etc/liege/vassals/$1.new
    cat >"$new" <<CONFIG
[uwsgi]
; This file is ${1}'s: he may change it, and it is running with the new content a moment later.
hostname = %n
command = /home/$1/serve
CONFIG
    chown "$1:$1" "$new"
    mv -f "$new" "/etc/liege/vassals/$1.ini"
}

install_package
tenant alice "Good morning."
tenant bob "Good evening."
# Whoever logs in there may look.
for user in "${SUDO_USER:-}" vagrant; do
    ! id "$user" >/dev/null 2>&1 || usermod --append --groups liege "$user"
done
systemctl enable --now liege.service
liege status
