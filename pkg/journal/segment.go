package journal

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/google/uuid"

	"tasador/pkg/killpoint"
)

const (
	magic      = "tasadorj"
	version    = 1
	headerSize = 8 + 4 + 16 + 4
	entryHead  = 4 + 4 + 8 // before the payload
	suffix     = ".journal"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// segment is one file.
type segment struct {
	number  int64
	id      string // 32 hexadecimal digits
	path    string
	size    atomic.Int64 // up to which it is whole
	entries atomic.Int64 // whole ones
	sealed  atomic.Bool  // nothing is appended any more
}

// Entry is what was appended, under a name that no other entry has.
type Entry struct {
	Segment  string // id of its segment: 32 hexadecimal digits
	Sequence int64  // its number in the segment, from 1
	At       time.Time
	Payload  []byte
}

func segmentPath(dir string, number int64) string {
	return filepath.Join(dir, fmt.Sprintf("%016d%s", number, suffix))
}

// numberOf returns the number of the segment that a file is, 0 if it is none.
func numberOf(name string) int64 {
	digits, ok := strings.CutSuffix(name, suffix)
	n, err := strconv.ParseInt(digits, 10, 64)
	if !ok || err != nil || n < 1 {
		return 0
	}
	return n
}

// create makes an empty segment.
func create(dir string, number int64) (*segment, *os.File, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, nil, fmt.Errorf("id of a segment: %w", err)
	}
	head := append(binary.LittleEndian.AppendUint32([]byte(magic), version), id[:]...)
	head = binary.LittleEndian.AppendUint32(head, crc32.Checksum(head, castagnoli))
	path := segmentPath(dir, number)
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, nil, err
	}
	if _, err := file.Write(head); err != nil {
		return nil, nil, errors.Join(err, file.Close(), os.Remove(path))
	}
	s := &segment{number: number, id: hex.EncodeToString(id[:]), path: path}
	s.size.Store(headerSize)
	return s, file, nil
}

// errNoSegment says that a file does not begin as a segment does.
var errNoSegment = errors.New("this is no segment of a journal that this version reads")

// readHeader returns the id of a segment.
func readHeader(r io.Reader) (string, error) {
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(r, head); err != nil {
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return "", errNoSegment
		}
		return "", err
	}
	body, sum := head[:headerSize-4], binary.LittleEndian.Uint32(head[headerSize-4:])
	if !bytes.HasPrefix(body, []byte(magic)) || binary.LittleEndian.Uint32(body[len(magic):]) != version || crc32.Checksum(body, castagnoli) != sum {
		return "", errNoSegment
	}
	return hex.EncodeToString(body[len(magic)+4:]), nil
}

// appendEntry appends the bytes of an entry.
func appendEntry(dst []byte, at time.Time, payload []byte) []byte {
	from := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(payload)))
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(at.UnixMicro()))
	dst = append(dst, payload...)
	binary.LittleEndian.PutUint32(dst[from+4:], checksum(dst[from:]))
	return dst
}

// checksum covers an entry but its own four bytes.
func checksum(entry []byte) uint32 {
	return crc32.Update(crc32.Checksum(entry[:4], castagnoli), castagnoli, entry[8:])
}

// errTorn says that no whole entry comes.
var errTorn = errors.New("no whole entry")

// readEntry reads the next entry into buf, which it returns longer if it must. It returns errTorn at the end and before what is not whole.
func readEntry(r io.Reader, buf []byte) ([]byte, error) {
	buf = grow(buf, entryHead)
	if _, err := io.ReadFull(r, buf); err != nil {
		return buf, torn(err)
	}
	n := binary.LittleEndian.Uint32(buf)
	if n == 0 || n > MaxPayload {
		return buf, errTorn
	}
	buf = grow(buf, entryHead+int(n))
	if _, err := io.ReadFull(r, buf[entryHead:]); err != nil {
		return buf, torn(err)
	}
	if checksum(buf) != binary.LittleEndian.Uint32(buf[4:]) {
		return buf, errTorn
	}
	return buf, nil
}

func grow(buf []byte, n int) []byte {
	if cap(buf) < n {
		return append(make([]byte, 0, n), buf...)[:n]
	}
	return buf[:n]
}

func torn(err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return errTorn
	}
	return err
}

func timeOf(head []byte) time.Time {
	return time.UnixMicro(int64(binary.LittleEndian.Uint64(head[8:]))).UTC()
}

// writeAt writes a buffer, in two parts where tests may kill the process between them.
func writeAt(f *os.File, buf []byte, at int64) error {
	if killpoint.SplitWrites {
		half := len(buf) / 2
		if _, err := f.WriteAt(buf[:half], at); err != nil {
			return err
		}
		killpoint.At(killpoint.JournalHalf)
		buf, at = buf[half:], at+int64(half)
	}
	_, err := f.WriteAt(buf, at)
	return err
}
