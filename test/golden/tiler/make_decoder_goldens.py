"""Draw one small file per kind and write what Pillow's convert('RGB') gives: decoder.json and images/decoder_*."""
import hashlib, json, os, struct, zlib
import numpy as np
import PIL
from PIL import Image, ImageCms

HERE = os.path.dirname(os.path.abspath(__file__))
random = np.random.RandomState(1)
y, x = np.mgrid[0:37, 0:53]
base = np.stack([(x * 5) % 256, (y * 7) % 256, (x * y) % 256], -1).astype(np.uint8)
base = (base // 2 + random.randint(0, 60, base.shape)).astype(np.uint8)
alpha = (x * 3 % 256).astype(np.uint8)
rgb, rgba = Image.fromarray(base), Image.fromarray(np.dstack([base, alpha]))
names = []


def path(name):
    names.append('decoder_' + name)
    return os.path.join(HERE, 'images', 'decoder_' + name)


def swapped_profile():
    """An sRGB profile with red and green exchanged: applying it would show."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes())
    red, green = profile.find(b'rXYZ', 128), profile.find(b'gXYZ', 128)
    profile[red:red + 4], profile[green:green + 4] = b'gXYZ', b'rXYZ'
    return bytes(profile)


def chunk(kind, data):
    return struct.pack('>I', len(data)) + kind + data + struct.pack('>I', zlib.crc32(kind + data))


def png(name, array, depth, color_type, extra=b''):
    header = struct.pack('>IIBBBBB', array.shape[1] * (8 // depth if depth < 8 else 1), array.shape[0], depth, color_type, 0, 0, 0)
    raw = b''.join(b'\0' + row.tobytes() for row in array)
    with open(path(name), 'wb') as file:
        file.write(b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', header) + extra + chunk(b'IDAT', zlib.compress(raw)) + chunk(b'IEND', b''))


rgb.save(path('odd_420.jpg'), quality=85)
rgb.save(path('odd_422.jpg'), quality=85, subsampling=1)
rgb.save(path('icc.jpg'), quality=90, icc_profile=swapped_profile())
rgb.save(path('icc.png'), icc_profile=swapped_profile())
Image.fromarray(np.dstack([base, (y * 6 % 256).astype(np.uint8)]), 'CMYK').save(path('cmyk.jpg'), quality=90)
rgb.save(path('lossy.webp'), quality=60)
rgba.save(path('lossy_alpha.webp'), quality=70)
rgb.save(path('animated.webp'), save_all=True, append_images=[rgb.rotate(90)], lossless=True)
palette = rgb.quantize(16)
palette.save(path('transparent.gif'), transparency=3)
palette.save(path('interlaced.gif'), interlace=1)
palette.save(path('animated.gif'), save_all=True, append_images=[rgb.rotate(5).quantize(16)])
rgb.save(path('odd.bmp'))
rgba.save(path('rgba.bmp'))
deep = random.randint(0, 65536, (9, 20, 4)).astype('>u2')
gray = random.randint(0, 600, (9, 20)).astype('>u2')
png('rgb16.png', deep[:, :, :3], 16, 2)
png('rgba16.png', deep, 16, 6)
png('la16.png', deep[:, :, :2], 16, 4)
png('gray16_trns.png', gray, 16, 0, chunk(b'tRNS', struct.pack('>H', int(gray[0, 0]))))
png('gray4.png', random.randint(0, 256, (9, 10)).astype(np.uint8), 4, 0)
png('gray2.png', random.randint(0, 256, (9, 5)).astype(np.uint8), 2, 0)
png('gamma.png', (deep[:, :, :3] >> 8).astype(np.uint8), 8, 2, chunk(b'gAMA', struct.pack('>I', 100000)))

rows = []
for name in names:
    image = Image.open(os.path.join(HERE, 'images', name)).convert('RGB')
    rows.append({'image': name, 'width': image.width, 'height': image.height, 'rgbSha256': hashlib.sha256(image.tobytes()).hexdigest()})
with open(os.path.join(HERE, 'decoder.json'), 'w') as file:
    file.write('{\n "pillow": "%s",\n "rows": [\n  %s\n ]\n}\n' % (PIL.__version__, ',\n  '.join(json.dumps(row, separators=(',', ':')) for row in rows)))
