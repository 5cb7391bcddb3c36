#!/bin/sh
# Rows MH-09 to MH-12: tenants who reach the internet through a router and each other not at all.
# vm: systemd
. "$LIB"
skip "needs the network of the router (tuntap-router), which comes with a later step"
