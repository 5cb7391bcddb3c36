#!/bin/sh
# Limits of vassals of an Emperor at the root of all cgroups: a bare boot without systemd.
# vm: quick
. "$LIB"
. "${LIB%.sh}-limits.sh"
suite bare $top
finish
