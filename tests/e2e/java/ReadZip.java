import java.io.BufferedInputStream;
import java.io.FileInputStream;
import java.nio.charset.StandardCharsets;
import java.security.DigestInputStream;
import java.security.MessageDigest;
import java.util.HexFormat;
import java.util.zip.ZipEntry;
import java.util.zip.ZipInputStream;

/** Prints every file of a ZIP, read as a stream from its start: the name in hexadecimal UTF-8 and its SHA-256. */
class ReadZip {
    public static void main(String[] arguments) throws Exception {
        HexFormat hex = HexFormat.of();
        try (ZipInputStream zip =
                new ZipInputStream(new BufferedInputStream(new FileInputStream(arguments[0])), StandardCharsets.UTF_8)) {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                if (entry.isDirectory()) {
                    continue;
                }
                MessageDigest digest = MessageDigest.getInstance("SHA-256");
                new DigestInputStream(zip, digest).transferTo(java.io.OutputStream.nullOutputStream());
                String name = hex.formatHex(entry.getName().getBytes(StandardCharsets.UTF_8));
                System.out.println(name + " " + hex.formatHex(digest.digest()));
            }
        }
    }
}
