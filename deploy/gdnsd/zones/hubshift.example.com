; The zone that gdnsd answers for. Delegate it from example.com to two or more name servers, each
; with a gdnsd of its own, in different regions.
$TTL 3600

@          60   SOA   ns1 hostmaster (
                   1      ; serial
                   7200   ; refresh
                   1800   ; retry
                   259200 ; expire
                   60 )   ; how long "no such name" is kept

@          NS    ns1
@          NS    ns2
ns1        A     192.0.2.53
ns2        A     198.51.100.53

; At most 15 seconds in a cache, at least 5: gdnsd gives what is left until the probes could
; change the answer.
concierge  15/5  DYNA  multifo!concierges
