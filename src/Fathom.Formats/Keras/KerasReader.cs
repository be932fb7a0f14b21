namespace Fathom.Formats.Keras;
public static class KerasReader { public static ModelReadResult ReadArchive(string p, byte[] c) => throw new ModelFormatException("x"); public static ModelReadResult Read(string p, string t) => throw new ModelFormatException("x"); }
