# Asks a memcached on a unix socket for its version, and stays.
use strict;
use warnings;
use IO::Socket::UNIX;

$| = 1;
my $cache;
# It may not listen yet.
select(undef, undef, undef, 0.05) until $cache = IO::Socket::UNIX->new(Peer => $ARGV[0]);
print $cache "version\r\n";
print "the cache says: " . <$cache>;
sleep;
