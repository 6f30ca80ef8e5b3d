"""Time: state behind one door (`state`), tasks (`task`), whose turn it is (`schedule`), runs (`run`) and steps
(`step`).
"""
