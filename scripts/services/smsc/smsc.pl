# An SMSC for the tests, of Net::SMPP: whoever binds may send, and every message that asks for it gets a receipt.
#
#   perl smsc.pl PORT FILE
#
# Each submit becomes a line of FILE: what came, as Net::SMPP reads it. Numbers that end in 1 are refused
# (ESME_RINVDSTADR), in 2 throttled, in 3 undeliverable. Ids are hexadecimal in answers and decimal in the words of
# receipts; to numbers that end in 4 the receipt has words alone, to others TLVs too.
use strict;
use warnings;
use IO::Select;
use Net::SMPP;
use Time::HiRes qw(time);

my ($port, $file) = @ARGV;
my $RECEIPT_SECONDS = 0.05;
$SIG{PIPE} = 'IGNORE';
open(my $out, '>>', $file) or die "$file: $!";
$out->autoflush(1);
my $server = Net::SMPP->new_listen('127.0.0.1', port => $port, smpp_version => 0x34) or die "listen: $!";
my $sockets = IO::Select->new($server);
my $last_id = 0xa0000;
my @receipts;

while (1) {
    my $patience = @receipts ? $receipts[0]{at} - time : 1;
    for my $socket ($sockets->can_read($patience > 0 ? $patience : 0)) {
        if ($socket == $server) {
            my $link = $server->accept or next;
            $link->set_version(0x34);
            $sockets->add($link);
            next;
        }
        my $pdu = eval { local $SIG{__WARN__} = sub { }; $socket->read_pdu };
        if (!$pdu || !serve($socket, $pdu)) {
            $sockets->remove($socket);
            $socket->close;
        }
    }
    deliver(shift @receipts) while @receipts && $receipts[0]{at} <= time;
}

sub serve {
    my ($link, $pdu) = @_;
    my ($cmd, $seq) = ($pdu->{cmd}, $pdu->{seq});
    if ($cmd == Net::SMPP::CMD_bind_transceiver) {
        print $out "bind $pdu->{system_id} $pdu->{interface_version}\n";
        $link->bind_transceiver_resp(seq => $seq, system_id => 'netsmpp');
    } elsif ($cmd == Net::SMPP::CMD_enquire_link) {
        $link->enquire_link_resp(seq => $seq);
    } elsif ($cmd == Net::SMPP::CMD_unbind) {
        print $out "unbind\n";
        $link->unbind_resp(seq => $seq);
        return 0;
    } elsif ($cmd == Net::SMPP::CMD_submit_sm) {
        submit($link, $pdu);
    } elsif ($cmd == Net::SMPP::CMD_deliver_sm_resp) {
        print $out "told $pdu->{status}\n";
    } else {
        $link->generic_nack(seq => $seq, status => 3);
    }
    return 1;
}

sub submit {
    my ($link, $pdu) = @_;
    my @shown = map { length $_ ? $_ : '-' } @$pdu{
        qw(source_addr_ton source_addr_npi source_addr dest_addr_ton dest_addr_npi destination_addr
           esm_class data_coding registered_delivery validity_period)
    };
    my $text = length $pdu->{short_message} ? $pdu->{short_message} : $pdu->{message_payload} // '';
    print $out join(' ', 'submit', @shown, unpack('H*', $text) || '-'), "\n";
    my %status = (1 => 0x0b, 2 => 0x58);
    my $end = substr($pdu->{destination_addr}, -1);
    my $id = ++$last_id;
    my $hex = sprintf('%X', $id);
    $link->submit_sm_resp(seq => $pdu->{seq}, message_id => $hex, status => $status{$end} // 0);
    push @receipts, { at => time + $RECEIPT_SECONDS, link => $link, id => $id, hex => $hex, pdu => $pdu, end => $end }
      if $pdu->{registered_delivery} && !$status{$end};
}

sub deliver {
    my ($receipt) = @_;
    my ($link, $pdu, $end) = @$receipt{qw(link pdu end)};
    return if !$link->opened;
    my ($stat, $state, $err) = $end eq '3' ? ('UNDELIV', 5, '001') : ('DELIVRD', 2, '000');
    my @tlvs = $end eq '4' ? () : (receipted_message_id => "$receipt->{hex}\0", message_state => chr $state);
    $link->deliver_sm(
        async => 1,
        esm_class => 4,
        source_addr => $pdu->{destination_addr},
        destination_addr => $pdu->{source_addr},
        short_message => "id:$receipt->{id} sub:001 dlvrd:001 submit date:2611211000 done date:2611211001 "
          . "stat:$stat err:$err text:",
        @tlvs,
    );
}
