package custody_test

import (
	"bytes"
	"errors"
	"image"
	"image/color"
	"image/jpeg"
	"image/png"
	"testing"

	"coffer/internal/custody"
)

// pictured returns a PNG and a JPEG of a size.
func pictured(t testing.TB, width, height int) (p, j []byte) {
	t.Helper()
	img := image.NewRGBA(image.Rect(0, 0, width, height))
	for i := range img.Pix {
		img.Pix[i] = byte(i * i)
	}
	img.Set(0, 0, color.White)
	var a, b bytes.Buffer
	if err := errors.Join(png.Encode(&a, img), jpeg.Encode(&b, img, nil)); err != nil {
		t.Fatal(err)
	}
	return a.Bytes(), b.Bytes()
}

// TestPhotoKeepsThePictureOnly: nothing of the file but its picture is kept.
func TestPhotoKeepsThePictureOnly(t *testing.T) {
	p, j := pictured(t, 2000, 900)
	secret := []byte("taken at 44.3106 N, 69.7795 W")
	exif := append([]byte{0xff, 0xd8, 0xff, 0xe1, 0, byte(len(secret) + 2)}, append(secret, j[2:]...)...)
	for name, b := range map[string][]byte{"png": p, "jpeg": j, "with metadata": exif, "with a tail": append(bytes.Clone(j), secret...)} {
		kept, err := custody.Photo(b)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		c, err := jpeg.DecodeConfig(bytes.NewReader(kept))
		if err != nil || c.Width != 1000 || c.Height != 450 || len(kept) > 900<<10 {
			t.Errorf("%s: %d bytes, %+v, %v", name, len(kept), c, err)
		}
		if bytes.Contains(kept, secret) {
			t.Errorf("%s: the metadata is kept", name)
		}
	}
	bomb := bytes.Clone(p)
	copy(bomb[16:], []byte{0, 0x0f, 0, 0, 0, 0x0f, 0, 0}) // states its size as 983,040 squared
	for name, b := range map[string][]byte{"nothing": nil, "text": []byte("GIF89a"), "half": p[:len(p)/2], "bomb": bomb, "large": make([]byte, custody.PhotoBytesMax+1)} {
		if _, err := custody.Photo(b); !errors.Is(err, custody.ErrPhoto) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzPhoto: whatever comes, it is refused or comes out as a small JPEG.
func FuzzPhoto(f *testing.F) {
	p, j := pictured(f, 9, 7)
	f.Add(p)
	f.Add(j)
	f.Fuzz(func(t *testing.T, b []byte) {
		if c, _, err := image.DecodeConfig(bytes.NewReader(b)); err == nil && c.Width*c.Height > 1<<20 {
			return // takes its time, not more
		}
		kept, err := custody.Photo(b)
		if err != nil {
			return
		}
		if c, err := jpeg.DecodeConfig(bytes.NewReader(kept)); err != nil || max(c.Width, c.Height) > 1600 {
			t.Errorf("%+v, %v", c, err)
		}
	})
}
