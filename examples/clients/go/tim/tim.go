// Package tim keeps a connection to a cluster, logged in, through breaks: frames in JSON, confirmations, pings.
package tim

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"
)

// Commands, and what acks and notices are about.
const (
	Ack, Ping, Register, Login, Offline, LoggedOut, Request, Send = 12, 13, 14, 16, 17, 20, 41, 90
	AddFriend, Friends, FriendsAlready                            = 4, 5, 4117
)

// Object is what is sent.
type Object = map[string]any

// Message has those fields of all the protocol's structs that are looked at here.
type Message struct {
	Ok                      bool
	TimType, OdType, BnType int
	Id, Mid                 int64
	N, DataString           string
	FromTid                 struct{ Node string }
	MessageList             []Message
	Error                   struct {
		Code int
		Info string
	}
}

// Client is one account at a cluster of several servers.
type Client struct {
	Servers        []string
	Name, Password string
	// Address is the account's, once logged in.
	Address string
	socket  *websocket.Conn
	attempt int
}

// frame is the command, with bit 7 for JSON, and the value.
func frame(command byte, value any) []byte {
	if value == nil {
		return []byte{command | 0x80}
	}
	data, _ := json.Marshal(value)
	return append([]byte{command | 0x80}, data...)
}

// Register makes the account. That there is one already is no error: whether it is this one the login tells.
func (c *Client) Register() error {
	url := strings.Replace(c.Servers[0], "ws", "http", 1) + "2"
	answer, err := http.Post(url, "", bytes.NewReader(frame(Register, Object{"name": c.Name, "pwd": c.Password})))
	if err == nil {
		err = answer.Body.Close()
	}
	return err
}

// Send writes; where the connection is broken nothing happens, and Run has another one soon.
func (c *Client) Send(command byte, value any) {
	_ = c.socket.Write(context.Background(), websocket.MessageBinary, frame(command, value))
}

// Run hands every message and ack to handle until the account is logged out, at the next server after each break.
func (c *Client) Run(handle func(Message)) error {
	for ; ; c.attempt++ {
		if fatal := c.session(c.Servers[c.attempt%len(c.Servers)], handle); fatal != nil {
			return fatal
		}
		longest := min(100*time.Millisecond<<min(c.attempt, 10), 5*time.Second)
		time.Sleep(time.Duration(rand.Float64() * float64(longest)))
	}
}

// session is one connection; only what makes another one useless is an error.
func (c *Client) session(server string, handle func(Message)) error {
	running, cancel := context.WithCancel(context.Background())
	defer cancel()
	opening, opened := context.WithTimeout(running, 5*time.Second)
	defer opened()
	socket, _, err := websocket.Dial(opening, server, nil)
	if err != nil {
		return nil
	}
	defer func() { _ = socket.CloseNow() }()
	socket.SetReadLimit(8 << 20)
	c.socket = socket
	c.Send(Login, Object{"name": c.Name, "pwd": c.Password, "termtyp": 2})
	go keepAlive(running, socket)
	for { // three pings without an answer: the connection is dead
		reading, read := context.WithTimeout(running, 45*time.Second)
		_, data, err := socket.Read(reading)
		read()
		if err != nil {
			return nil
		}
		if fatal := c.take(data, handle); fatal != nil {
			return fatal
		}
	}
}

func keepAlive(running context.Context, socket *websocket.Conn) {
	for socket.Write(running, websocket.MessageBinary, frame(Ping, nil)) == nil {
		time.Sleep(15 * time.Second)
	}
}

func (c *Client) take(data []byte, handle func(Message)) error {
	start := 1
	if data[0]&0x80 != 0 {
		start = 5
	}
	var value Message
	_ = json.Unmarshal(data[start:], &value)
	switch {
	case value.TimType == LoggedOut || value.TimType == Login && !value.Ok && c.Address == "":
		return fmt.Errorf("logged out: %d %s", value.Error.Code, value.Error.Info)
	case value.TimType == Login && !value.Ok: // our session of before is still counted
		_ = c.socket.CloseNow()
	case value.TimType == Login:
		c.Address, c.attempt = value.N, 0
		c.Send(Offline, nil) // what came meanwhile
	}
	for _, message := range append(value.MessageList, value) {
		handle(message)
	}
	if start == 5 { // taken: it is not sent again
		_ = c.socket.Write(context.Background(), websocket.MessageBinary, append([]byte{Ack | 0x80}, data[1:5]...))
	}
	return nil
}
