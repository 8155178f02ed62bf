// A provider that carries nothing, as the other contestants' do.
package main

import "github.com/knadh/otpgateway"

type none struct{}

func New(jsonCfg []byte) (otpgateway.Provider, error) { return none{}, nil }

func (none) ID() string                                 { return "none" }
func (none) ChannelName() string                        { return "SMS" }
func (none) ChannelDesc() string                        { return "" }
func (none) AddressName() string                        { return "Phone number" }
func (none) AddressDesc() string                        { return "" }
func (none) ValidateAddress(to string) error            { return nil }
func (none) Push(to, subject string, body []byte) error { return nil }
func (none) MaxAddressLen() int                         { return 20 }
func (none) MaxOTPLen() int                             { return 6 }
func (none) MaxBodyLen() int                            { return 1000 }
